package tlsfiles

// Describe shows the options in words, files by their paths.
func (o *Options) Describe() string {
	text := "TLS " + string(o.MinVersion) + " or later"
	if o.CA != "" {
		text += ", authorities from " + o.CA
	}
	if o.Cert != "" {
		text += ", certificate from " + o.Cert
	}
	if o.ServerName != "" {
		text += ", for the name " + o.ServerName
	}
	if o.InsecureSkipVerify {
		text += ", any certificate is taken"
	}
	return text
}
