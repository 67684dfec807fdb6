package main

import (
	_ "embed"

	"github.com/spf13/cobra"
)

//go:generate go test -run ^(TestSchemaIsCurrent|TestReferenceIsCurrent)$ -update .

// tableSchema is the JSON Schema of routing tables; see package
// proxy/schema.
//
//go:embed routes.schema.json
var tableSchema []byte

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of routing tables, for editors",
		Long: `Print the JSON Schema (draft 7) of routing tables. With it, an editor that has a
YAML language server, such as VS Code with the YAML extension, completes keys,
shows what they mean, and marks mistakes:

  sidestream schema > routes.schema.json

and, as the first line of routes.yaml:

  # yaml-language-server: $schema=routes.schema.json

What the schema can't tell, "sidestream validate" can.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(tableSchema)
			return err
		},
	}
}
