package feed

import "time"

// Restart appends a gap behind which the source begins anew, with all of the
// state: what was kept for keys is forgotten, so that keys which are not part
// of the new state are in none that [Log.Latest] gives. Until the next event
// with State, or [Log.Settle], there is none. After Close the error is
// [ErrClosed].
func (l *Log) Restart(g Gap) error {
	if err := l.restart(&g); err != nil {
		return err
	}
	l.Wake()
	return nil
}

func (l *Log) restart(g *Gap) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.gap(g); err != nil {
		return err
	}
	l.restarted.total, l.restarted.id = l.total, l.newestID()
	if l.o.Selects {
		l.selected.begin()
	}
	l.keys, l.hasState, l.settled, l.lacking = nil, false, false, false
	l.stateAt = l.live()
	l.count()
	return nil
}

// Restart does what [Log.Restart] does for the logs of all keys, with a gap as
// that of [Keyed.AppendGap].
func (k *Keyed) Restart(g Gap) error {
	k.mu.Lock()
	k.settled, k.lacking = false, false
	k.mu.Unlock()
	if k.o.Log.Selects {
		k.whole.begin()
	}
	return k.announce(g, (*Log).restart)
}

// AppendGapTo appends a notice that events of one key are missing at this
// place to its log. When the key is given up, no key that isn't at hand can be
// resumed across that moment. After Close the error is [ErrClosed].
func (k *Keyed) AppendGapTo(key string, g Gap) error {
	l, err := k.addGapTo(key, &g)
	if err != nil {
		return err
	}
	l.Wake()
	return nil
}

func (k *Keyed) addGapTo(key string, g *Gap) (*Log, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, ErrClosed
	}
	kl := k.at(key)
	if err := kl.log.addGap(g); err != nil {
		return nil, err
	}
	kl.gap = true
	k.change(kl, time.Now())
	return &kl.log, nil
}
