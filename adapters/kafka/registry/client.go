package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sidestream/adapters"
	"sidestream/adapters/httpclient"
)

// What is asked for, and by whom
// (https://docs.confluent.io/platform/current/schema-registry/develop/api.html#content-types).
const (
	accept    = "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json;q=0.9, application/json;q=0.5"
	userAgent = "sidestream/kafka"
)

// The registry's codes for what it doesn't have (the same page, "errors").
const (
	codeNoSubject = 40401
	codeNoVersion = 40402
	codeNoSchema  = 40403
)

// settle is after what time a schema that wasn't found is asked for once more:
// a registry may have several instances, of which one hears of a new schema a
// moment later than the producer which registered it.
const settle = 250 * time.Millisecond

// escaped is how much longer a schema may be in JSON, as a factor, and margin
// what an answer may have beside it, in bytes.
const (
	escaped = 3
	margin  = 64 << 10
)

// A client asks the registry. It is safe for concurrent use.
type client struct {
	option     string // the path of the options
	base       string // URL without a slash at its end
	origin     string // of base, for logs
	http       *httpclient.Client
	timeout    time.Duration
	maxSchema  int
	references int
	renewable  bool // credentials may become others without a new configuration
}

func newClient(option string, o *Options) *client {
	c := &client{
		option:     option,
		base:       strings.TrimRight(o.URL, "/"),
		http:       httpclient.New(o.HTTP),
		timeout:    time.Duration(o.Timeout),
		maxSchema:  int(o.MaxSchema),
		references: o.References,
		renewable:  renewable(&o.HTTP),
	}
	if u, err := url.Parse(o.URL); err == nil {
		c.origin = u.Scheme + "://" + u.Host
	}
	return c
}

// renewable reports whether credentials come from where they may be replaced.
func renewable(o *httpclient.Options) bool {
	auth := o.Auth
	for _, v := range o.Headers {
		if v.File != "" {
			return true
		}
	}
	return auth.OAuth2 != nil || o.TLS.Cert != "" ||
		auth.Bearer != nil && auth.Bearer.File != "" ||
		auth.Basic != nil && (auth.Basic.User.File != "" || auth.Basic.Password.File != "")
}

// A document is a schema as the registry tells it.
type document struct {
	Type       string      `json:"schemaType"` // "": AVRO
	Text       string      `json:"schema"`
	References []reference `json:"references"`
}

// A reference is what a schema says of another one that it uses.
type reference struct {
	Name    string `json:"name"` // what it is called there: a type, or the path of an import
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// byID asks for a schema. An unusableError says that there is none.
func (c *client) byID(ctx context.Context, id schemaID) (document, error) {
	path, absent := "/schemas/ids/"+id.String(), []int{codeNoSchema}
	if id.isGUID {
		// A registry that knows no GUIDs says that it has no such path.
		path, absent = "/schemas/guids/"+id.String(), []int{codeNoSchema, http.StatusNotFound}
	}
	d, err := c.document(ctx, path, absent)
	if !errors.Is(err, errAbsent) {
		return d, err
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return document{}, ctx.Err()
	}
	if d, err = c.document(ctx, path, absent); errors.Is(err, errAbsent) {
		return d, unusable("the registry doesn't have it")
	}
	return d, err
}

// byReference asks for a schema that another one uses, also if it was deleted
// since. An unusableError says that there is none.
func (c *client) byReference(ctx context.Context, ref reference) (document, error) {
	path := "/subjects/" + url.PathEscape(ref.Subject) + "/versions/" + strconv.Itoa(ref.Version) + "?deleted=true"
	d, err := c.document(ctx, path, []int{codeNoSubject, codeNoVersion, codeNoSchema})
	if errors.Is(err, errAbsent) {
		return d, unusable("the registry doesn't have version %d of the subject %q, which it refers to", ref.Version, ref.Subject)
	}
	return d, err
}

// errAbsent is the answer of a registry that doesn't have what it was asked for.
var errAbsent = errors.New("not found")

// document asks for a schema. It returns errAbsent for an answer 404 with one
// of the codes absent; any other 404 may be about the URL.
func (c *client) document(ctx context.Context, path string, absent []int) (document, error) {
	status, body, err := c.get(ctx, path)
	if ctx.Err() != nil {
		return document{}, ctx.Err()
	}
	if err != nil {
		return document{}, c.failed(path, err)
	}
	if status != http.StatusOK {
		var problem struct {
			Code int `json:"error_code"`
		}
		if status == http.StatusNotFound && json.Unmarshal(body, &problem) == nil && slices.Contains(absent, problem.Code) {
			return document{}, errAbsent
		}
		return document{}, c.refused(path, status)
	}
	if len(body) > c.maxBody() {
		return document{}, unusable("it or one that it refers to is larger than %s, which max_schema allows", adapters.Size(c.maxSchema))
	}
	var d document
	if err := json.Unmarshal(body, &d); err != nil || d.Text == "" {
		return document{}, c.upstream(path, false, "schema registry sent an unreadable answer", errUnreadable)
	}
	return d, nil
}

var errUnreadable = errors.New("it is no JSON with a schema")

func (c *client) maxBody() int { return escaped*c.maxSchema + margin }

// get returns an answer, of whose body at most one byte more than maxBody.
func (c *client) get(ctx context.Context, path string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	req.Header = http.Header{"Accept": {accept}, "User-Agent": {userAgent}}
	resp, err := c.http.Do(req, nil, nil)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, int64(c.maxBody())+1))
	return resp.StatusCode, body, err
}

// failed returns the failure of a request that has no answer.
func (c *client) failed(path string, err error) error {
	var known *adapters.UpstreamError
	if errors.As(err, &known) {
		return c.upstream(path, known.Permanent, known.Reason, err)
	}
	return c.upstream(path, false, "schema registry does not answer", adapters.Quoteless(err))
}

// refused returns the failure that a status stands for.
func (c *client) refused(path string, status int) error {
	err := errors.New(strconv.Itoa(status) + " " + http.StatusText(status))
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return c.upstream(path, !c.renewable, "schema registry refused the credentials", err)
	}
	return c.upstream(path, false, "schema registry answered "+strconv.Itoa(status), err)
}

func (c *client) upstream(path string, permanent bool, reason string, err error) error {
	return &adapters.UpstreamError{
		Reason:    reason,
		Permanent: permanent,
		Err:       fmt.Errorf("%s: GET %s%s: %w", c.option, c.origin, path, err),
	}
}
