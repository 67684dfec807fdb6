package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// slack follows https://docs.slack.dev/authentication/verifying-requests-from-slack.
type slack struct {
	keys      keys
	tolerance time.Duration
}

func newSlack(path string, o *Timed) scheme {
	return &slack{newKeys(path+".secret", o.Secret), tolerance(o.Tolerance)}
}

func (s *slack) verify(r *http.Request, body []byte, now time.Time) error {
	const version = "v0"
	timestamp, err := one(r, "X-Slack-Request-Timestamp")
	if err != nil {
		return err
	}
	value, err := one(r, "X-Slack-Signature")
	if err != nil {
		return err
	}
	given, ok := strings.CutPrefix(value, version+"=")
	if !ok {
		return refuse("header X-Slack-Signature doesn't start with %s=", version)
	}
	t, err := unix(timestamp, time.Second)
	if err != nil {
		return err
	}
	if err := near(t, now, s.tolerance); err != nil {
		return err
	}
	return s.keys.matchMAC(sha256.New, hex.EncodeToString, []string{given}, func(mac hash.Hash) {
		mac.Write([]byte(version + ":" + timestamp + ":"))
		mac.Write(body)
	})
}

// facts tells what the body is: an event, or the request that asks whether this
// is who was meant (https://docs.slack.dev/reference/events/url_verification),
// both in JSON; or a form, whose field payload has the JSON of an interaction
// if it isn't a command.
func (s *slack) facts(r *http.Request, body []byte) Facts {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && media == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return Facts{}
		}
		var interaction struct {
			Type text `json:"type"`
		}
		decode([]byte(form.Get("payload")), &interaction)
		return Facts{Type: string(interaction.Type)}
	}
	var outer struct {
		Type      text   `json:"type"`
		Challenge text   `json:"challenge"`
		EventID   text   `json:"event_id"`
		Event     object `json:"event"`
	}
	decode(body, &outer)
	switch outer.Type {
	case "url_verification":
		return Facts{
			Type:       string(outer.Type),
			Answer:     []byte(outer.Challenge),
			AnswerType: "text/plain; charset=utf-8",
		}
	case "event_callback":
		return Facts{Type: string(outer.Event.Type), ID: string(outer.EventID)}
	default:
		return Facts{Type: string(outer.Type), ID: string(outer.EventID)}
	}
}
