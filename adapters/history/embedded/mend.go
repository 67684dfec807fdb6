//go:build !sidestream_noembed

package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/minio/highwayhash"
)

// Files of a stream, as nats-server names them.
const (
	metaFile    = "meta.inf" // its configuration
	metaSumFile = "meta.sum" // and the checksum of that
	blocks      = "msgs/*.blk"
)

// mend completes what a process that was killed left unfinished in the streams'
// own files, which nats-server wouldn't do: it writes a stream's configuration
// first, its checksum second, and ignores at the start a stream whose two
// don't match. A configuration is taken for whole if it is one of that stream.
func mend(streams string) error {
	entries, err := os.ReadDir(streams)
	if err != nil {
		return ignoreMissing(err)
	}
	for _, entry := range entries {
		if !entry.IsDir() || beingRemoved(entry.Name()) {
			continue
		}
		if err := mendStream(filepath.Join(streams, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func mendStream(dir string) error {
	meta, err := os.ReadFile(filepath.Join(dir, metaFile))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(meta) == 0 {
		return removeUnborn(dir)
	}
	if err != nil {
		return err
	}
	name := filepath.Base(dir)
	var info struct {
		Name string `json:"name"`
	}
	if whole := json.Unmarshal(meta, &info) == nil && info.Name == name; !whole {
		return nil // for the server to refuse
	}
	sum, err := checksum(name, meta)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, metaSumFile)
	if have, err := os.ReadFile(path); string(have) == sum || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(path+".tmp", []byte(sum), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// removeUnborn removes a stream that was being made, and was never used.
func removeUnborn(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, blocks))
	if err != nil {
		return err
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Size() > 0 {
			return nil // for the server to refuse
		}
	}
	return os.RemoveAll(dir)
}

// checksum returns the content of a stream's metaSumFile.
func checksum(stream string, meta []byte) (string, error) {
	key := sha256.Sum256([]byte(stream))
	hash, err := highwayhash.NewDigest64(key[:])
	if err != nil {
		return "", err
	}
	_, _ = hash.Write(meta) // it never fails
	return hex.EncodeToString(hash.Sum(nil)), nil
}
