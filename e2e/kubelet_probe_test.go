package e2e

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sidestream/e2e/kube"
)

// awaitStarted waits until the startup probe has succeeded, if there is one,
// and starts the other two.
func (c *podContainer) awaitStarted() {
	c.pod.tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c.quit = cancel
	if probe := c.spec.StartupProbe; probe != nil {
		if err := c.repeat(ctx, probe, func(err error, _, failures int32) (again bool) {
			return err != nil && failures < cmp.Or(probe.FailureThreshold, 3)
		}); err != nil {
			c.pod.tb.Fatalf("container %s: the startup probe fails: %v", c.spec.Name, err)
		}
	}
	if probe := c.spec.LivenessProbe; probe != nil {
		c.probing.Go(func() {
			_ = c.repeat(ctx, probe, func(err error, _, failures int32) (again bool) {
				select {
				case <-c.pod.ended: // which ends this probe, and no other
					return false
				default:
				}
				if failures == cmp.Or(probe.FailureThreshold, 3) {
					c.pod.wrong("container %s: would be restarted: %w", c.spec.Name, err)
				}
				return true
			})
		})
	}
	probe := c.spec.ReadinessProbe
	if probe == nil {
		c.setReady(true)
		return
	}
	c.probing.Go(func() {
		_ = c.repeat(ctx, probe, func(_ error, successes, failures int32) (again bool) {
			switch {
			case successes >= cmp.Or(probe.SuccessThreshold, 1):
				c.setReady(true)
			case failures >= cmp.Or(probe.FailureThreshold, 3):
				c.setReady(false)
			}
			return true
		})
	})
}

func (c *podContainer) setReady(ready bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = ready
}

// stopProbes ends the container's probes, if it has any.
func (c *podContainer) stopProbes() {
	if c.quit == nil {
		return
	}
	c.quit()
	c.probing.Wait()
}

// repeat probes as often as the probe says, and hands each result on with how
// many of its kind there have been in a row, until result says no or ctx is
// done. It returns the last result.
func (c *podContainer) repeat(ctx context.Context, probe *corev1.Probe, result func(err error, successes, failures int32) (again bool)) error {
	period := time.Duration(cmp.Or(probe.PeriodSeconds, 10)) * time.Second
	next := time.NewTimer(time.Duration(probe.InitialDelaySeconds) * time.Second)
	defer next.Stop()
	var err error
	var successes, failures int32
	for {
		select {
		case <-next.C:
		case <-ctx.Done():
			return err
		}
		next.Reset(period)
		if err = c.probe(ctx, probe); err == nil {
			successes, failures = successes+1, 0
		} else {
			successes, failures = 0, failures+1
		}
		if ctx.Err() != nil || !result(err, successes, failures) {
			return err
		}
	}
}

// probe probes once.
func (c *podContainer) probe(ctx context.Context, probe *corev1.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(cmp.Or(probe.TimeoutSeconds, 1))*time.Second)
	defer cancel()
	switch {
	case probe.HTTPGet != nil:
		return c.get(ctx, probe.HTTPGet)
	case probe.TCPSocket != nil:
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", c.address(probe.TCPSocket.Port))
		if err != nil {
			return err
		}
		return conn.Close()
	case probe.Exec != nil:
		return c.exec(ctx, probe.Exec.Command)
	}
	return errors.New("a probe of an unknown kind")
}

func (c *podContainer) get(ctx context.Context, get *corev1.HTTPGetAction) error {
	scheme := strings.ToLower(cmp.Or(string(get.Scheme), "http"))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+c.address(get.Port)+get.Path, http.NoBody)
	if err != nil {
		return err
	}
	for _, h := range get.HTTPHeaders {
		req.Header.Add(h.Name, h.Value)
	}
	// As a kubelet does, which looks at no certificate.
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode >= 400 {
		return fmt.Errorf("%s: got status %d, want 200 to 399", req.URL, resp.StatusCode)
	}
	return nil
}

// address is where a port of the container is; 0 is in none.
func (c *podContainer) address(port intstr.IntOrString) string {
	number := kube.TargetPort(corev1.PodSpec{Containers: []corev1.Container{c.spec}}, port)
	if number == 0 && port.Type == intstr.Int {
		number = port.IntVal
	}
	return fmt.Sprintf("127.0.0.1:%d", number)
}
