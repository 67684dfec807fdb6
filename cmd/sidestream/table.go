package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// readTable reads the file called name, which should be a routing table. If
// there is none, the error says how to give one.
func readTable(name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && filepath.IsAbs(name): // as it is in a container
		return nil, fmt.Errorf(`there is no routing table at %s; name one by --config, or, in a container, mount one there, `+
			`as by docker run -v "$PWD/routes.yaml:%s:ro"; "sidestream demo" needs none`, name, name)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf(`there is no routing table at %s; name one by --config; "sidestream demo" needs none`, name)
	case errors.Is(err, syscall.EISDIR):
		return nil, fmt.Errorf("the routing table %s is a directory; where a file that isn't there is mounted into a container, one is made in its place", name)
	}
	return data, err
}
