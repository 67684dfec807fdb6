//go:build sidestream_noembed

package embedded

import (
	"context"

	"sidestream/adapters"
)

// Built is whether the program has the server in it, which the build tag
// sidestream_noembed leaves out.
const Built = false

func (s *Server) serve(context.Context) error {
	return adapters.Permanent(reasonNotBuilt, nil)
}
