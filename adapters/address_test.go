package adapters

import (
	"net/netip"
	"testing"
)

func TestParseNetwork(t *testing.T) {
	for _, tt := range []struct{ text, want string }{ // want "" is an error
		{"192.0.2.7", "192.0.2.7/32"},
		{"192.0.2.0/24", "192.0.2.0/24"},
		{"2001:db8::1", "2001:db8::1/128"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"::ffff:192.0.2.7", "192.0.2.7/32"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"::/0", "::/0"},
		{"::ffff:192.0.2.0/120", ""},
		{"192.0.2.7/24", ""},
		{"192.0.2.0/33", ""},
		{"192.0.2.7:80", ""},
		{"fe80::1%eth0", ""},
		{"localhost", ""},
		{"", ""},
	} {
		got, err := ParseNetwork(tt.text)
		if tt.want == "" && err == nil || tt.want != "" && (err != nil || got.String() != tt.want) {
			t.Errorf("%q: got %v, %v, want %q", tt.text, got, err, tt.want)
		}
	}
}

func TestParseAddress(t *testing.T) {
	for _, tt := range []struct{ text, want string }{ // want "" is none
		{"192.0.2.7", "192.0.2.7"},
		{"192.0.2.7:80", "192.0.2.7"},
		{"2001:db8::1", "2001:db8::1"},
		{"[2001:db8::1]", "2001:db8::1"},
		{"[2001:db8::1]:80", "2001:db8::1"},
		{"[fe80::1%eth0]:80", "fe80::1"},
		{"::ffff:192.0.2.7", "192.0.2.7"},
		{"[::ffff:192.0.2.7%x]:80", "192.0.2.7"},
		{"[192.0.2.7", ""},
		{"192.0.2.7]", ""},
		{"192.0.2.7:", ""},
		{"192.0.2", ""},
		{"192.0.2.0/24", ""},
		{" 192.0.2.7", ""},
		{"unknown", ""},
		{"_hidden", ""},
		{"@", ""},
		{"", ""},
	} {
		got, ok := ParseAddress(tt.text)
		if ok != (tt.want != "") || ok && got != netip.MustParseAddr(tt.want) {
			t.Errorf("%q: got %v, %v, want %q", tt.text, got, ok, tt.want)
		}
	}
}
