package verify

import (
	"net/http"
	"time"
)

// gitlab follows https://docs.gitlab.com/user/project/integrations/webhooks/:
// a secret token that is sent along, and a signing token with which requests are
// signed as Standard Webhooks are.
type gitlab struct {
	tokens keys
	signed *standard // nil: no signing token
}

func newGitLab(path string, o *GitLab) scheme {
	s := &gitlab{tokens: newKeys(path+".token", o.Token)}
	if len(o.SigningToken) > 0 {
		s.signed = newStandard(path+".signing_token", o.SigningToken, o.Tolerance)
	}
	return s
}

func (s *gitlab) verify(r *http.Request, body []byte, now time.Time) error {
	if len(s.tokens) > 0 || s.signed == nil {
		token, err := one(r, "X-Gitlab-Token")
		if err != nil {
			return err
		}
		if err := s.tokens.matchText(token); err != nil {
			return err
		}
	}
	if s.signed != nil {
		return s.signed.verify(r, body, now)
	}
	return nil
}

// facts doesn't know deliveries by X-Gitlab-Event-UUID, which webhooks share
// that cause one another.
func (s *gitlab) facts(r *http.Request, _ []byte) Facts {
	return Facts{Type: told(r, "X-Gitlab-Event"), ID: told(r, "Webhook-Id", "Idempotency-Key")}
}
