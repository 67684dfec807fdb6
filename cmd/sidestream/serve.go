package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"sidestream/proxy"
	"sidestream/proxy/strictyaml"
)

type serveFlags struct {
	config string
	listen []string
	admin  string
	log    logging
}

func newServe() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a routing table",
		Long: `Serve the routing table in a file. The file is read again when it changes and
on SIGHUP; one with errors changes nothing. SIGTERM drains: /readyz turns to
503, clients are sent away spread over a window, requests under way finish.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.config, "config", "c", "routes.yaml", "file with the routing table")
	flags.StringSliceVar(&f.listen, "listen", nil, "addresses to listen on, in place of the table's, if none has tls or proxy_protocol; unix:/path for a socket")
	flags.StringVar(&f.admin, "admin", "", `address of the admin listener, in place of the table's; unix:/path for a socket, "off" for none`)
	f.log.flags(flags)
	return cmd
}

func serve(cmd *cobra.Command, f *serveFlags) error {
	log, err := f.log.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	// From the first moment to the last: its default is to end the program.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)

	// Adapters outlast tables: what they know of their upstreams does.
	adapters := known(log)
	load := func(data []byte) (*proxy.Config, error) {
		config, err := proxy.Parse(f.config, data, adapters, references())
		if err != nil {
			return nil, err
		}
		if err := config.ListenAt(f.listen, f.admin); err != nil {
			return nil, err
		}
		return config, nil
	}
	data, err := readTable(f.config)
	if err != nil {
		return err
	}
	config, err := load(data)
	if err != nil {
		return reportErrors(cmd, err)
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	listeners, err := proxy.Listen(ctx, config)
	if err != nil {
		return err
	}
	server := proxy.New(config, proxy.Settings{Log: log, Version: version()})
	log.Info().Str("version", version()).Str("config", f.config).Int("routes", len(config.Routes)).Msg("serving")

	var group errgroup.Group
	group.Go(func() error {
		reloads(ctx, hangup, f.config, data, log, func(data []byte, err error) { //nolint:contextcheck // streams outlast a reload
			var next *proxy.Config
			if err == nil {
				next, err = load(data)
			}
			if err != nil {
				server.ReloadFailed(err)
				return
			}
			server.Reload(next)
		})
		return nil
	})
	group.Go(func() error {
		defer cancel()
		return server.Run(ctx, listeners)
	})
	return group.Wait()
}

// references are those that a routing table may make.
func references() strictyaml.References {
	return strictyaml.References{Env: os.LookupEnv, ReadFile: readRegular}
}

// maxReference is more than any file may have that a table refers to.
const maxReference = 2 << 20

// readRegular reads a file, if it is one whose content ends: a pipe could be
// waited for without end.
func readRegular(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxReference))
}

// reloads calls reload with the content of the file called name when it is
// another than the last one and on hangup, one call at a time, until ctx is
// done.
func reloads(ctx context.Context, hangup <-chan os.Signal, name string, last []byte, log zerolog.Logger, reload func(data []byte, err error)) {
	changed := make(chan []byte)
	var group errgroup.Group
	group.Go(func() error {
		err := watch(ctx, name, last, func(content []byte) {
			select {
			case changed <- content:
			case <-ctx.Done():
			}
		})
		if err != nil {
			log.Warn().Err(err).Msg("the routing table can't be watched; send SIGHUP when it changes")
		}
		return nil
	})
	for ctx.Err() == nil {
		select {
		case <-hangup:
			reload(os.ReadFile(name))
		case content := <-changed:
			reload(content, nil)
		case <-ctx.Done():
		}
	}
	_ = group.Wait()
}

// reportErrors prints all complaints about a routing table, a line each.
func reportErrors(cmd *cobra.Command, err error) error {
	var list strictyaml.Errors
	if !errors.As(err, &list) {
		return err
	}
	for _, e := range list {
		cmd.PrintErrln(e.Error())
	}
	return errReported
}
