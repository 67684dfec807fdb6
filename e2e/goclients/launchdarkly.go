package main

import (
	"errors"
	"net/http"
	"time"

	"github.com/launchdarkly/eventsource"
)

// followLaunchDarkly follows a stream with launchdarkly/eventsource as it
// comes. Its errors have to be read, since it waits for that.
func followLaunchDarkly(url string, tell teller) {
	subscribeLaunchDarkly(url, tell, func(error) eventsource.StreamErrorHandlerResult {
		return eventsource.StreamErrorHandlerResult{}
	})
}

// followLaunchDarklyAdvised stays away after any other status than 200.
func followLaunchDarklyAdvised(url string, tell teller) {
	subscribeLaunchDarkly(url, tell, func(err error) eventsource.StreamErrorHandlerResult {
		var refused eventsource.SubscriptionError
		return eventsource.StreamErrorHandlerResult{CloseNow: errors.As(err, &refused)}
	})
}

func subscribeLaunchDarkly(url string, tell teller, onError eventsource.StreamErrorHandler) {
	stream, err := eventsource.SubscribeWithURL(
		url,
		eventsource.StreamOptionHTTPClient(&http.Client{}),
		eventsource.StreamOptionCanRetryFirstConnection(time.Minute),
		eventsource.StreamOptionErrorHandler(onError),
	)
	if err != nil {
		return
	}
	for e := range stream.Events {
		tell(e.Event(), e.Id(), e.Data())
	}
}
