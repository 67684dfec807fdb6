package proxy

import "sidestream/adapters"

// openAlways opens the stream of a route whose source is to run although
// nobody listens. There is just one, since such a route has no variables and
// forwards no credentials.
//
// If there is no room for it, it is tried again with every trim; if a client
// comes first, that opens it. A stream that has ended, or failed for good, is
// left to the next client in any case.
func (p *endpoint) openAlways() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.can.Always && !p.closed && len(p.streams) == 0 {
		p.openUnasked()
	}
}

// openUnasked opens the route's one stream for no client. p.mu is held.
func (p *endpoint) openUnasked() {
	_, err := p.open(streamKey{}, adapters.Vars{}, nil)
	if err != nil && !p.lacking {
		p.log.Error().Err(err).Stringer("again_every", tidyInterval).Msg("the stream that is to be open always can't be opened")
	}
	p.lacking = err != nil
}
