package feed

// HasKey reports whether anything of key is at hand.
func (k *Keyed) HasKey(key string) bool { return k.log(key) != nil }

// After is [Log.After] of the log of key, and no place if it isn't at hand.
func (k *Keyed) After(key, id string) (Cursor, bool) {
	if l := k.log(key); l != nil {
		return l.After(id)
	}
	return Cursor{}, false
}

// Marked is [Log.Marked] of the log of key, and "" if it isn't at hand.
func (k *Keyed) Marked(key string, c Cursor) string {
	if l := k.log(key); l != nil {
		return l.Marked(c)
	}
	return ""
}

func (k *Keyed) log(key string) *Log {
	k.mu.Lock()
	defer k.mu.Unlock()
	if kl := k.keys[key]; kl != nil {
		return &kl.log
	}
	return nil
}
