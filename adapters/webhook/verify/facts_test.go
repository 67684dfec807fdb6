package verify

import (
	"reflect"
	"strings"
	"testing"

	"sidestream/adapters"
)

func TestSlackFacts(t *testing.T) {
	v := verifier(t, Options{Slack: &Timed{Secret: texts("s")}}, 0)
	const (
		json = "application/json"
		form = "application/x-www-form-urlencoded; charset=utf-8"
	)
	for _, tc := range []struct {
		content, body string
		want          Facts
	}{
		{json, `{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV","type":"url_verification"}`,
			Facts{Type: "url_verification", Answer: []byte("3eZbrw1aBm2rZgRNFdxV"), AnswerType: "text/plain; charset=utf-8"}},
		{json, `{"type":"url_verification"}`,
			Facts{Type: "url_verification", Answer: []byte{}, AnswerType: "text/plain; charset=utf-8"}},
		{json, `{"type":"event_callback","event_id":"Ev1","event":{"type":"message"},"challenge":"x"}`, Facts{Type: "message", ID: "Ev1"}},
		{json, `{"type":"event_callback","event_id":"Ev1","event":"message"}`, Facts{ID: "Ev1"}},
		{json, `{"type":"event_callback","event_id":7,"event":{"type":["message"]}}`, Facts{}},
		{json, `{"type":"app_rate_limited"}`, Facts{Type: "app_rate_limited"}},
		{json, `[]`, Facts{}},
		{json, `{`, Facts{}},
		{"", `{"type":"app_rate_limited"}`, Facts{Type: "app_rate_limited"}},
		{form, `payload=%7B%22type%22%3A%22block_actions%22%7D`, Facts{Type: "block_actions"}},
		{form, `payload=%7B%22type%22%3A%22url_verification%22%2C%22challenge%22%3A%22x%22%7D`, Facts{Type: "url_verification"}},
		{form, `command=%2Fweather&text=94070`, Facts{}},
		{form, `%zz`, Facts{}},
	} {
		if got := v.Facts(request("/", "Content-Type", tc.content), []byte(tc.body)); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s %s: got %+v, want %+v", tc.content, tc.body, got, tc.want)
		}
	}
}

func TestFactsOfBody(t *testing.T) {
	v := verifier(t, Options{Stripe: &Timed{Secret: texts("s")}}, 0)
	for body, want := range map[string]Facts{
		`{"id":"evt_1","type":"a.b"}`:        {Type: "a.b", ID: "evt_1"},
		`{"id":1,"type":{"a":1}}`:            {},
		`{"id":null,"type":"a.b"}`:           {Type: "a.b"},
		`not JSON`:                           {},
		``:                                   {},
		`{"id":"evt_1","type":"stream.gap"}`: {ID: "evt_1"}, // reserved
		`{"id":"evt_1","type":"a\ndata: forged"}`: {ID: "evt_1"},
	} {
		if got := v.Facts(request("/"), []byte(body)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", body, got, want)
		}
	}
}

func TestFactsOfHeaders(t *testing.T) {
	v := verifier(t, Options{GitHub: &Signed{Secret: texts("s")}}, 0)
	facts := func(headers ...string) Facts { return v.Facts(request("/", headers...), nil) }
	long := strings.Repeat("x", adapters.MaxID)
	if got := facts("X-GitHub-Delivery", long).ID; got != long {
		t.Errorf("got %q, want the id as it is", got)
	}
	// printf 'x%.0s' $(seq 257) | openssl dgst -sha256
	const hashed = "sha256:15eb95a462ee20bd91a415ae2d4aed341288186ddaa2b37908f7d592f0c3f85f"
	if got := facts("X-GitHub-Delivery", long+"x").ID; got != hashed {
		t.Errorf("got %q, want %s", got, hashed)
	}
	for what, headers := range map[string][]string{
		"none":     {},
		"twice":    {"X-GitHub-Delivery", "a", "X-GitHub-Delivery", "b", "X-GitHub-Event", "a", "X-GitHub-Event", "b"},
		"too long": {"X-GitHub-Delivery", strings.Repeat("x", maxHeader+1), "X-GitHub-Event", strings.Repeat("x", adapters.MaxType+1)},
		"reserved": {"X-GitHub-Event", "stream.gap"},
	} {
		if got := facts(headers...); !reflect.DeepEqual(got, Facts{}) {
			t.Errorf("%s: got %+v, want none", what, got)
		}
	}
}

// TestOtherNames has the headers of other products of the same provider.
func TestOtherNames(t *testing.T) {
	const gitea = "99c6f92cc56487df18837fe9b006e3d7d668359bd88294e510b1857b3fa56c9c"
	const shopify = "D0UMXmhjwBRi4y66TmhJrDlhQABD7zI2fm3p6/QLMo8="
	for _, tc := range []struct {
		sample  string
		headers []string
		want    Facts
	}{
		{"gitea", []string{"X-Forgejo-Signature", gitea, "X-Forgejo-Event", "push", "X-Forgejo-Delivery", "d"}, Facts{Type: "push", ID: "d"}},
		{"gitea", []string{"X-Gogs-Signature", gitea, "X-Gogs-Event", "push", "X-Gogs-Delivery", "d"}, Facts{Type: "push", ID: "d"}},
		{"shopify", []string{"Shopify-Hmac-Sha256", shopify, "Shopify-Topic", "Product", "Shopify-Webhook-Id", "w"}, Facts{Type: "Product", ID: "w"}},
		{"shopify", []string{"X-Shopify-Hmac-Sha256", shopify, "X-Shopify-Event-Id", "e"}, Facts{ID: "e"}},
	} {
		s := sampleNamed(t, tc.sample)
		v := verifier(t, s.options(texts(s.secret)...), s.at)
		r := request("/", tc.headers...)
		accepts(t, tc.headers[0], v, r, s.body)
		if got := v.Facts(r, []byte(s.body)); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: got %+v, want %+v", tc.headers[0], got, tc.want)
		}
	}
	s := sampleNamed(t, "gitea")
	v := verifier(t, s.options(texts(s.secret)...), s.at)
	refuses(t, "a wrong one of the name that counts", v, request("/", "X-Gitea-Signature", gitea[1:], "X-Forgejo-Signature", gitea), s.body)
}
