package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"sidestream/cmd/sidestream/demo"
	"sidestream/proxy"
)

func newDemo() *cobra.Command {
	f := serveFlags{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve a demonstration, with a page to open",
		Long: `Serve a demonstration: an application with an API that was made to be polled,
Sidestream in front of it, and a page that shows the streams.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.listen, "listen", []string{"127.0.0.1:8080"}, "addresses to listen on")
	flags.StringVar(&f.admin, "admin", "127.0.0.1:9090", `address of the admin listener; "off" for none`)
	f.log.flags(flags)
	return cmd
}

func runDemo(cmd *cobra.Command, f *serveFlags) error {
	log, err := f.log.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	var lc net.ListenConfig
	behind, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	table := demo.Routes("http://" + behind.Addr().String())
	config, err := proxy.Parse("demo.yaml", table, known(zerolog.Nop()), references())
	if err != nil {
		return reportErrors(cmd, err)
	}
	if err := config.ListenAt(f.listen, f.admin); err != nil {
		return err
	}
	listeners, err := proxy.Listen(ctx, config)
	if err != nil {
		return err
	}
	server := proxy.New(config, proxy.Settings{Log: log, Version: version()})
	app := demo.New()
	legacy := &http.Server{Handler: app, ReadHeaderTimeout: 10 * time.Second}

	var group errgroup.Group
	group.Go(func() error {
		app.Run(ctx)
		return nil
	})
	group.Go(func() error {
		if err := legacy.Serve(behind); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		defer legacy.Close()
		defer cancel()
		return server.Run(ctx, listeners)
	})
	for _, ln := range listeners.Public {
		_, _ = fmt.Fprintf(cmd.OutOrStdout(), "Open http://%s/ in a browser; Ctrl-C ends the demonstration.\n", ln.Addr())
	}
	return group.Wait()
}
