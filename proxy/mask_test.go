package proxy

import "testing"

func TestMask(t *testing.T) {
	m := newMask([]string{
		"hunter2", "hunter2 & more/\"", "http://10.0.0.1:3000/base", "http://user:letmein@host/", "127.0.0.1:9090", ":8080", "8080", "15s", "true", "abc", "",
		"https://host/?key=letmein",
	})
	tests := []struct{ text, want string }{
		{"GET http://10.0.0.1:3000/base/hunter2?k=hunter2", "GET http://10.0.0.1:3000/base/(secret)?k=(secret)"},
		{"?q=hunter2+%26+more%2F%22", "?q=(secret)"},
		{"/hunter2%20&%20more%2F%22/", "/(secret)/"},
		{`{"p":"hunter2 \u0026 more/\""}`, `{"p":"(secret)"}`},
		{"hunter2 & more/\"", "(secret)"},
		{"http://user:letmein@host/ https://host/?key=letmein", "(secret) (secret)"},
		{"127.0.0.1:9090 :8080 8080 15s true abc", "127.0.0.1:9090 :8080 8080 15s true abc"},
	}
	for _, tt := range tests {
		if got := m.text(tt.text); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
		}
	}
}
