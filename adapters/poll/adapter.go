package poll

import (
	"cmp"
	"errors"
	"net/http"
	"sync"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
	"sidestream/adapters/poll/jsondoc"
	"sidestream/adapters/poll/pace"
)

// Adapter returns the adapter "poll".
//
// Its factories are closers: Close closes the connections that are idle. A
// factory's sources share its connections, and those of all factories share
// what is to be shared about the hosts that they poll: the budgets, and
// whether they answer at all. A program has one adapter, therefore.
func Adapter() adapters.Adapter {
	hosts := new(pace.Hosts)
	return adapters.New("poll", defaults, func(o Options, route adapters.Route) (adapters.Factory, error) {
		return build(&o, route, hosts)
	})
}

func build(o *Options, route adapters.Route, hosts *pace.Hosts) (adapters.Factory, error) {
	f := &factory{options: o, hosts: hosts}
	var errs [4]error
	if f.target, errs[1] = newTemplate(o, route); errs[1] == nil {
		o.Client.UnixSocket = cmp.Or(o.Client.UnixSocket, f.target.urls.Socket())
	}
	errs[0] = o.check(route)
	f.code, errs[2] = compile(o)
	f.differ, errs[3] = newDiffer(o)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	f.client = httpclient.New(o.Client)
	return f, nil
}

// newDiffer returns what compares documents.
func newDiffer(o *Options) (*jsondoc.Differ, error) {
	pointers := make([]string, len(o.Ignore)) // "" for those that are expressions
	for i, text := range o.Ignore {
		if isPointer(text) {
			pointers[i] = text
		}
	}
	return jsondoc.New(jsondoc.Options{ArrayKeys: o.ArrayKeys, Ignore: pointers})
}

// A factory is the adapter configured for one route.
type factory struct {
	options *Options
	target  *template
	code    code
	differ  *jsondoc.Differ
	client  doer
	hosts   *pace.Hosts
	phases  pace.Phases

	mu   sync.Mutex
	host *pace.Host // joined by the first source; guarded by mu
}

// A doer is what makes requests: a [httpclient.Client].
type doer interface {
	Do(req *http.Request, forward http.Header, prepare func(*http.Request)) (*http.Response, error)
	Describe(req *http.Request, forward http.Header) http.Header
	Close()
}

// Capabilities implements [adapters.Factory].
func (f *factory) Capabilities() adapters.Capabilities {
	o := f.options
	can := adapters.Capabilities{
		Positions: true,
		WholeURL:  o.URL == "",
		Always:    o.Always,
	}
	switch o.Emit {
	case emitAppend:
		can.Replayable = true
	case emitSnapshot, emitRaw:
		can.Stateful = true
	default:
		can.Stateful, can.Changes = true, true
	}
	for _, name := range o.Forward {
		can.Forward = append(can.Forward, http.CanonicalHeaderKey(name))
	}
	return can
}

// Open implements [adapters.Factory].
func (f *factory) Open(vars adapters.Vars, env adapters.Env) (adapters.Source, error) {
	if err := f.target.check(vars); err != nil {
		return nil, err
	}
	host := f.join()
	p := &poller{
		factory:  f,
		vars:     vars,
		env:      env,
		host:     host,
		call:     host.Caller(),
		schedule: pace.NewSchedule(f.options.Every, float64(f.options.Jitter), f.phases.Next()),
	}
	if f.options.Emit == emitAppend {
		return newListSource(p), nil
	}
	return newStateSource(p), nil
}

// join returns the host that the factory's sources share, with others.
func (f *factory) join() *pace.Host {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.host == nil {
		name := f.target.origin()
		if socket := f.options.Client.UnixSocket; socket != "" {
			name = "unix:" + socket
		}
		f.host = f.hosts.Join(name, f.options.Budget)
	}
	return f.host
}

// Close closes idle connections. The factory's sources should have returned
// from Run; what they use is closed once it is idle for a while.
func (f *factory) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.host != nil {
		f.host.Leave()
		f.host = nil
	}
	f.client.Close()
	return nil
}

// timeout bounds one request.
func (f *factory) timeout() time.Duration { return time.Duration(f.options.Timeout) }
