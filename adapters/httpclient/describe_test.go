package httpclient

import "testing"

func TestDescribeURL(t *testing.T) {
	for target, want := range map[string]string{
		"http://legacy.test/a?b=1":                                    "http://legacy.test/a?b=1",
		"http://legacy.test/a?limit=5&api_key=" + hidden + "&since=c": "http://legacy.test/a?limit=5&api_key=(secret)&since=c",
		"http://legacy.test/?Token=" + hidden + "=" + hidden:          "http://legacy.test/?Token=(secret)",
		"http://legacy.test/?token&X-Amz-Signature=" + hidden:         "http://legacy.test/?token&X-Amz-Signature=(secret)",
		"http://legacy.test/?auth=&page=2":                            "http://legacy.test/?auth=(secret)&page=2",
		"http://legacy.test/token":                                    "http://legacy.test/token",
	} {
		u := parse(t, target)
		equal(t, target, DescribeURL(u), want)
		equal(t, "the URL, which is the caller's", u.String(), target)
	}
}
