package webhook

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// firstChunk is how much memory a body is given to begin with.
const firstChunk = 4 << 10

var (
	errTooLarge = errors.New("the body is too large")
	errNoRoom   = errors.New("there is no room for the body")
)

// limit bounds the time in which the rest of a request is read, also of one
// that is refused: the server reads its body then, to be able to go on with the
// connection. ended is to be called once there is nothing left to be read, lest
// the request is taken for one whose sender went away. A writer that knows no
// deadlines has no slow senders, or deals with them by itself.
func (f *factory) limit(w http.ResponseWriter) (ended func()) {
	connection := http.NewResponseController(w)
	if err := connection.SetReadDeadline(time.Now().Add(time.Duration(f.options.Timeout))); err != nil {
		return func() {}
	}
	return func() { _ = connection.SetReadDeadline(time.Time{}) } // what fails to be set has failed altogether
}

// read returns the body of r as it was sent.
func (f *factory) read(w http.ResponseWriter, r *http.Request, held *hold) ([]byte, error) {
	most := int64(f.options.MaxBody)
	if r.ContentLength > most {
		return nil, f.tooLarge().hangUp()
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, most), most, held)
	var larger *http.MaxBytesError
	switch {
	case errors.As(err, &larger), errors.Is(err, errTooLarge):
		return nil, f.tooLarge().hangUp()
	case errors.Is(err, errNoRoom):
		return nil, busy().hangUp().because(err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(http.StatusRequestTimeout, "the body took longer than %s", f.options.Timeout).hangUp().because(err)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "the body is incomplete").hangUp().because(err)
	}
	return body, nil
}

func (f *factory) tooLarge() *refusal {
	return refuse(http.StatusRequestEntityTooLarge, "the body has more than %s", f.options.MaxBody)
}

// readAll returns all that r has, which may be most bytes. It takes no memory
// that held has no room for.
func readAll(r io.Reader, most int64, held *hold) ([]byte, error) {
	var body []byte
	for {
		if len(body) == cap(body) {
			size := min(max(firstChunk, 2*int64(cap(body))), most+1)
			if int64(len(body)) > most {
				return nil, errTooLarge
			}
			if !held.grow(size - int64(cap(body))) {
				return nil, errNoRoom
			}
			body = append(make([]byte, 0, size), body...)
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > most:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, err
		}
	}
}

// decompress returns the body that was sent as raw.
func (f *factory) decompress(raw []byte, c content, held *hold) ([]byte, error) {
	if !c.gzip {
		return raw, nil
	}
	unreadable := func(err error) error {
		return refuse(http.StatusBadRequest, "the body is not what Content-Encoding says, gzip").because(err)
	}
	unzip, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, unreadable(err)
	}
	body, err := readAll(unzip, int64(f.options.MaxBody), held)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, f.tooLarge()
	case errors.Is(err, errNoRoom):
		return nil, busy().because(err)
	case err != nil:
		return nil, unreadable(err)
	}
	return body, nil
}
