package kafka

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sidestream/adapters"
)

// maxSample is how many events an explanation shows.
const maxSample = 20

// Explain implements [adapters.Explainer].
func (s *source) Explain(ctx context.Context, run bool) (adapters.Explanation, error) {
	o := s.factory.options
	x := adapters.Explanation{Steps: []adapters.Step{
		{Name: "connection", Text: o.Connection.describe()},
		{Name: "read", Text: o.describe(s.topics, s.key)},
	}}
	if !run {
		return x, nil
	}
	cluster, err := s.factory.cluster()
	if err != nil {
		return x, err
	}
	l, err := s.lookUp(ctx, cluster)
	if err != nil {
		return x, err
	}
	x.Steps = append(x.Steps, adapters.Step{Name: "cluster", Text: l.describe()})
	state, err := s.describeState(ctx, cluster, l)
	if err != nil {
		return x, err
	}
	x.Steps = append(x.Steps, adapters.Step{Name: "state", Text: state})
	x.Events, err = adapters.Sample(ctx, s, maxSample)
	return x, err
}

// describe shows the brokers.
func (l *layout) describe() string {
	var lines []string
	for id, node := range l.brokers {
		line := fmt.Sprintf("broker %d at %s:%d", id, node.Host, node.Port)
		if node.Rack != "" {
			line += ", rack " + node.Rack
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// describeState shows the partitions that are read, and what they hold.
func (s *source) describeState(ctx context.Context, cluster *cluster, l *layout) (string, error) {
	ids, err := s.all(l)
	if err != nil {
		return "", err
	}
	first, err := s.offsets(ctx, cluster, l, s.committed(), atTime(ids, earliest))
	if err != nil {
		return "", err
	}
	end, err := s.offsets(ctx, cluster, l, s.committed(), atTime(ids, latest))
	if err != nil {
		return "", err
	}
	var lines []string
	for i, id := range ids {
		if i == maxShown {
			lines = append(lines, fmt.Sprintf("and %d more partitions", len(ids)-maxShown))
			break
		}
		p := l.topics[id.topic].Partitions[id.partition]
		lines = append(lines, fmt.Sprintf("%s, partition %d: offsets %d to %d, led by broker %d", s.topics[id.topic], id.partition, first[id], end[id], p.Leader))
	}
	return strings.Join(lines, "\n"), nil
}
