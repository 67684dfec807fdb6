package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sidestream/adapters"
	"sidestream/adapters/generate"
	"sidestream/adapters/history"
	"sidestream/adapters/kafka"
	"sidestream/adapters/nats"
	"sidestream/adapters/poll"
	"sidestream/adapters/sse"
	"sidestream/adapters/webhook"
)

// known are the adapters of this program, and where it can keep histories. log
// is for what is no route's.
func known(log zerolog.Logger) *adapters.Registry {
	return adapters.NewRegistry(
		generate.Adapter(),
		kafka.Adapter(),
		nats.Adapter(),
		poll.Adapter(),
		sse.Adapter(),
		webhook.Adapter(),
	).WithStores(history.NATS(log))
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "sidestream",
		Short: "Turn upstream sources into Server-Sent Events",
		Long: `Sidestream is a reverse proxy and Kubernetes sidecar that turns upstream sources,
such as a legacy HTTP API that is polled, into Server-Sent Events that any
browser's EventSource can read. Everything else passes through.

Every flag can be given as an environment variable too: --log-level as
SIDESTREAM_LOG_LEVEL, and so on. A flag on the command line wins.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return flagsFromEnv(cmd.Flags(), os.LookupEnv)
		},
	}
	root.AddCommand(newServe(), newValidate(), newHealthcheck(), newTail(), newExplain(), newDemo(), newSchema(), newVersion())
	return root
}

// flagsFromEnv sets the flags that the command line doesn't from the
// environment.
func flagsFromEnv(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var failure error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "SIDESTREAM_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := lookup(name)
		if !ok || f.Changed || f.Name == "help" || failure != nil {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			failure = fmt.Errorf("environment variable %s: %w", name, err)
		}
	})
	return failure
}
