package registry

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// The first bytes of a schema's identifier.
const (
	magicID   = 0 // a numeric id follows
	magicGUID = 1 // a GUID follows
)

const (
	sizeID   = 4
	sizeGUID = 16
)

// A schemaID identifies a schema: by a number, which is unique in a registry,
// or by a GUID, which is unique in all of them.
type schemaID struct {
	number int32
	guid   [sizeGUID]byte
	isGUID bool
}

func (id schemaID) String() string {
	if !id.isGUID {
		return strconv.Itoa(int(id.number))
	}
	g := hex.EncodeToString(id.guid[:])
	return g[:8] + "-" + g[8:12] + "-" + g[12:16] + "-" + g[16:20] + "-" + g[20:]
}

// A frame is a payload with what serializers put around it.
type frame struct {
	id   schemaID
	data []byte // the payload, behind the identifier if that is before it

	// header is what follows the identifier in the record's header, if it is
	// there. For Protobuf it is the index of the message's type, which is
	// before the payload otherwise.
	header   []byte
	inHeader bool
}

// parseFrame takes data apart, which starts with the identifier.
func parseFrame(data []byte) (frame, error) {
	id, rest, err := parseID("payload", data)
	return frame{id: id, data: rest}, err
}

// parseHeader takes apart a record header with the identifier of data.
func parseHeader(header, data []byte) (frame, error) {
	id, rest, err := parseID("schema header", header)
	return frame{id: id, data: data, header: rest, inHeader: true}, err
}

func parseID(what string, b []byte) (id schemaID, rest []byte, err error) {
	switch {
	case len(b) == 0:
		return id, nil, unframed("the %s is empty; it starts with the id of a schema", what)
	case b[0] == magicID:
		if len(b) < 1+sizeID {
			return id, nil, unframed("the %s ends within the id of its schema", what)
		}
		id.number = int32(binary.BigEndian.Uint32(b[1:]))
		if id.number < 0 {
			return id, nil, unframed("the %s names the schema %d; ids aren't negative", what, id.number)
		}
		return id, b[1+sizeID:], nil
	case b[0] == magicGUID:
		if len(b) < 1+sizeGUID {
			return id, nil, unframed("the %s ends within the GUID of its schema", what)
		}
		id.isGUID, id.guid = true, [sizeGUID]byte(b[1:])
		return id, b[1+sizeGUID:], nil
	default:
		return id, nil, unframed("the %s doesn't start with the id of a schema, that is, with a byte 0 or 1", what)
	}
}
