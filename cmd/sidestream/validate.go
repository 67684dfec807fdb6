package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"sidestream/proxy"
	"sidestream/proxy/strictyaml"
)

func newValidate() *cobra.Command {
	var config string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check a routing table",
		Long: `Check a routing table without serving it. All errors are shown at once, a line
each with file, line and column; the exit code is 1 if there are any.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				config = args[0]
			}
			table, err := validate(config)
			if asJSON {
				return printValidation(cmd, config, table, err)
			}
			if err != nil {
				return reportErrors(cmd, err)
			}
			noun := "routes"
			if len(table.Routes) == 1 {
				noun = "route"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is valid: %d %s\n", config, len(table.Routes), noun)
			return err
		},
	}
	cmd.Flags().StringVarP(&config, "config", "c", "routes.yaml", "file with the routing table")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

func validate(name string) (*proxy.Config, error) {
	data, err := readTable(name)
	if err != nil {
		return nil, err
	}
	return proxy.Parse(name, data, known(zerolog.Nop()), references())
}

// validation is what validate --json prints.
type validation struct {
	File   string            `json:"file"`
	Valid  bool              `json:"valid"`
	Routes int               `json:"routes"`
	Errors strictyaml.Errors `json:"errors"`
}

func printValidation(cmd *cobra.Command, name string, table *proxy.Config, err error) error {
	v := validation{File: name, Valid: err == nil, Errors: strictyaml.Errors{}}
	if table != nil {
		v.Routes = len(table.Routes)
	}
	if err != nil && !errors.As(err, &v.Errors) {
		v.Errors = strictyaml.Errors{{File: name, Msg: err.Error()}}
	}
	out, failure := json.MarshalIndent(v, "", "  ")
	if failure != nil {
		return failure
	}
	if _, failure := fmt.Fprintln(cmd.OutOrStdout(), string(out)); failure != nil {
		return failure
	}
	if err != nil {
		return errReported
	}
	return nil
}
