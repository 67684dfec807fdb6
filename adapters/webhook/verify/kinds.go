package verify

// A kind is a scheme as it may be configured.
type kind struct {
	role   role
	key    string
	set    bool // the options have it
	checks func(check)
	open   func(path string) scheme
}

type role int

const (
	bodiless role = iota // it doesn't look at the body
	provider             // a provider's: a request comes from one, and meets the scheme of no other
	own                  // the sender's own way to sign
)

// kinds returns all schemes, with what the options say of each. What costs least
// comes first.
func (o *Options) kinds() []kind {
	return []kind{
		of(bodiless, "ip", o.IP != nil, o.IP, check.ip, newIP),
		of(bodiless, "mtls", o.MTLS != nil, o.MTLS, check.mtls, newMTLS),
		of(bodiless, "bearer", len(o.Bearer) > 0, o.Bearer, check.bearer, newBearer),
		of(bodiless, "basic", len(o.Basic) > 0, o.Basic, check.basic, newBasic),
		of(provider, "github", o.GitHub != nil, o.GitHub, check.signed, newGitHub),
		of(provider, "gitlab", o.GitLab != nil, o.GitLab, check.gitlab, newGitLab),
		of(provider, "stripe", o.Stripe != nil, o.Stripe, check.timed, newStripe),
		of(provider, "slack", o.Slack != nil, o.Slack, check.timed, newSlack),
		of(provider, "standard_webhooks", o.StandardWebhooks != nil, o.StandardWebhooks, check.standardWebhooks, newStandardWebhooks),
		of(provider, "shopify", o.Shopify != nil, o.Shopify, check.signed, newShopify),
		of(provider, "twilio", o.Twilio != nil, o.Twilio, check.twilio, newTwilio),
		of(provider, "bitbucket", o.Bitbucket != nil, o.Bitbucket, check.signed, newBitbucket),
		of(provider, "gitea", o.Gitea != nil, o.Gitea, check.signed, newGitea),
		of(own, "hmac", o.HMAC != nil, o.HMAC, check.hmac, newGeneric),
	}
}

// of returns a kind with its options, which checks and open are called with
// only if they are set.
func of[O any](r role, key string, set bool, o O, checks func(check, O), open func(path string, o O) scheme) kind {
	return kind{
		role: r, key: key, set: set,
		checks: func(k check) { checks(k, o) },
		open:   func(path string) scheme { return open(path, o) },
	}
}
