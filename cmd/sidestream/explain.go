package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sidestream/proxy"
)

func newExplain() *cobra.Command {
	e := explainer{options: proxy.ExplainOptions{Timeout: 30 * time.Second, MaxBytes: 2 << 10}}
	cmd := &cobra.Command{
		Use:   "explain [METHOD] URL",
		Short: "Say what becomes of a request, and why",
		Long: `Say what a server for a routing table would do with a request, and why: which
route takes it and why the others don't, with whom its stream is shared, and
what would be asked of the upstream. With --run the upstream is asked, once, and
what clients would get of it is shown. No server is started.

The URL may be just a path. Unless --header says otherwise the request accepts
text/event-stream, as that of a browser's EventSource does. The exit code is 1 if
the table has errors, the request is refused, or the run fails.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: e.run,
	}
	flags := cmd.Flags()
	flags.StringVarP(&e.config, "config", "c", "routes.yaml", "file with the routing table")
	flags.StringArrayVarP(&e.headers, "header", "H", nil, `header of the request, as "Name: value"; may be given several times`)
	flags.BoolVar(&e.options.Run, "run", false, "ask the upstream, once, and show what comes of it")
	flags.DurationVar(&e.options.Timeout, "timeout", e.options.Timeout, "bound on the time that takes")
	flags.IntVar(&e.options.MaxBytes, "max-bytes", e.options.MaxBytes, "bytes that are shown of each event")
	flags.BoolVar(&e.json, "json", false, "print the result as JSON")
	return cmd
}

// explainer are the flags of explain.
type explainer struct {
	config  string
	headers []string
	options proxy.ExplainOptions
	json    bool
}

func (e *explainer) run(cmd *cobra.Command, args []string) error {
	request, err := e.request(cmd, args)
	if err != nil {
		return err
	}
	table, err := validate(e.config)
	switch {
	case err != nil && e.json:
		return printValidation(cmd, e.config, nil, err)
	case err != nil:
		return reportErrors(cmd, err)
	}
	explanation := proxy.Explain(table, request, e.options)
	if e.json {
		out := json.NewEncoder(cmd.OutOrStdout())
		out.SetEscapeHTML(false) // expressions are to be read
		out.SetIndent("", "  ")
		err = out.Encode(explanation)
	} else {
		_, err = fmt.Fprint(cmd.OutOrStdout(), explained(explanation))
	}
	if err == nil && explanation.Failed() {
		err = errReported
	}
	return err
}

// request makes the request that args and the flags describe, as a server
// would get it.
func (e *explainer) request(cmd *cobra.Command, args []string) (*http.Request, error) {
	method, target := http.MethodGet, args[0]
	if len(args) == 2 {
		method, target = args[0], args[1]
	}
	target, _, _ = strings.Cut(target, "#") // stays with the client
	u, err := url.ParseRequestURI(target)
	switch {
	case err != nil, u.Scheme == "" && !strings.HasPrefix(target, "/"), u.Opaque != "":
		return nil, errors.New("that is neither a URL, such as http://localhost:8080/events, nor the path of one, such as /events")
	case u.Scheme != "" && (u.Scheme != "http" && u.Scheme != "https" || u.Host == ""):
		return nil, errors.New("the URL must start with http:// or https:// and a host, or be just a path")
	case u.User != nil:
		return nil, errors.New("the URL must not hold a user name or password; --header can send them")
	case u.Path == "":
		u.Path = "/" // RFC 9110, section 4.2.3
	}
	header, err := parseHeaders(e.headers)
	if err != nil {
		return nil, err
	}
	if len(header.Values("Accept")) == 0 {
		header.Set("Accept", "text/event-stream")
	}
	r, err := http.NewRequestWithContext(cmd.Context(), method, u.RequestURI(), http.NoBody)
	if err != nil {
		return nil, err
	}
	r.URL, r.RequestURI, r.Host, r.Header = u, u.RequestURI(), u.Host, header
	if hosts := header.Values("Host"); len(hosts) > 0 { // as curl takes it
		r.Host = hosts[0]
		header.Del("Host")
	}
	return r, nil
}
