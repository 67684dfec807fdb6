package kafka

// covers reports whether who is at a has all that one who is at b has. Places
// of different topics, or of different incarnations of one, cover nothing of
// each other.
func covers(a, b *place) bool {
	less, _, ok := difference(a, b)
	return ok && !less
}

// order returns the order of two places as [adapters.Capabilities].Compare and
// Partitioned have it.
func order(a, b *place) (order int, ok bool) {
	less, more, ok := difference(a, b)
	switch {
	case !ok, less && more:
		return 0, false
	case less:
		return -1, true
	case more:
		return 1, true
	default:
		return 0, true
	}
}

// next returns where p is in a partition of the topic with that hash of its
// name.
func (p *place) next(topic uint32, partition int32) int64 {
	if t, found := p.topic(topic); found {
		return p.topics[t].next(partition)
	}
	return 0
}

func (t *topicPlace) next(partition int32) int64 {
	if i, found := t.find(partition); found {
		return t.parts[i].next
	}
	return 0
}

// difference reports whether a is before b in some partition, and whether it
// is behind it in some. ok is false if they are not of the same topics.
func difference(a, b *place) (less, more, ok bool) {
	if len(a.topics) != len(b.topics) {
		return false, false, false
	}
	for i := range a.topics {
		s, t := &a.topics[i], &b.topics[i]
		if s.name != t.name || s.id != t.id && s.id != noTopic && t.id != noTopic {
			return false, false, false
		}
		l, m := differenceOf(s.parts, t.parts)
		less, more = less || l, more || m
	}
	return less, more, true
}

// differenceOf is difference for one topic: a merge of its partitions, in
// which those that one side lacks count as 0.
func differenceOf(a, b []partPlace) (less, more bool) {
	for len(a) > 0 && len(b) > 0 {
		switch p, q := a[0], b[0]; {
		case p.partition < q.partition:
			more = more || p.next > 0
			a = a[1:]
		case p.partition > q.partition:
			less = less || q.next > 0
			b = b[1:]
		default:
			less = less || p.next < q.next
			more = more || p.next > q.next
			a, b = a[1:], b[1:]
		}
	}
	for _, p := range a {
		more = more || p.next > 0
	}
	for _, q := range b {
		less = less || q.next > 0
	}
	return less, more
}
