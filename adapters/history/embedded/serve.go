//go:build !sidestream_noembed

package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"sidestream/adapters"
)

// Built is whether the program has the server in it, which the build tag
// sidestream_noembed leaves out.
const Built = true

// checkEvery is how often the server is asked whether it is well. When it logs
// an error it is asked at once.
const checkEvery = time.Second

// serve runs the server until it fails or ctx is done. It returns why, an
// [adapters.UpstreamError].
func (s *Server) serve(ctx context.Context) error {
	began := time.Now()
	dir, err := claim(s.options.Dir)
	if err != nil {
		return err
	}
	defer dir.release()
	e, err := s.start(dir)
	if err != nil {
		return err
	}
	defer e.stop()
	s.up(e.server.InProcessConn, time.Since(began))
	err = watch(ctx, dir, e)
	s.down(err) // nobody is to connect while it stops
	return err
}

// up says that the server is there, to be connected to by connect.
func (s *Server) up(connect func() (net.Conn, error), took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.Info().Dur("took", took).Msg("history is open")
	s.connect, s.trouble = connect, nil
	s.tell()
}

// start starts the server on the directory and sees to it that nothing of what
// is there gets lost in doing so.
func (s *Server) start(dir *directory) (*engine, error) {
	streams, rescue := streamsOf(dir.path), rescueOf(dir.path)
	if err := rescue.restore(streams); err != nil {
		return nil, explain(reasonDamaged, err)
	}
	if err := mend(streams); err != nil {
		return nil, explain(reasonDamaged, err)
	}
	if err := rescue.fill(streams); err != nil {
		return nil, explain(reasonUnwritable, err)
	}
	e, err := startEngine(s.options, s.log)
	if err != nil {
		return nil, also(err, rescue.restore(streams))
	}
	unusable := e.unusable()
	missing, err := rescue.missing(streams)
	unusable = append(unusable, missing...)
	if err == nil && len(unusable) > 0 {
		err = fmt.Errorf("what can't be opened: %s (%s)", strings.Join(unusable, ", "), e.log.warning())
	}
	if err != nil {
		e.stop()
		return nil, also(adapters.Transient(reasonDamaged, err), rescue.restore(streams))
	}
	if err := rescue.drop(); err != nil {
		e.stop()
		return nil, explain(reasonUnwritable, err)
	}
	return e, nil
}

// also returns err, with what else failed because of it, if anything did.
func also(err, next error) error {
	if next == nil {
		return err
	}
	return adapters.Transient(adapters.Reason(err), errors.Join(err, next))
}

// watch returns what has become wrong with the server, or that ctx is done.
func watch(ctx context.Context, dir *directory, e *engine) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return adapters.Transient(reasonClosed, nil)
		case <-tick.C:
		case <-e.log.failed:
		}
		if err := dir.check(); err != nil {
			return err
		}
		if err := e.health(); err != nil {
			if cause := dir.probe(); cause != nil {
				return cause // it says more, and in an error of the system's
			}
			return adapters.Transient(reasonWrite, err)
		}
	}
}
