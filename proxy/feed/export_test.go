package feed

// HasKey reports whether anything of key is at hand.
func (k *Keyed) HasKey(key string) bool { return k.log(key) != nil }
