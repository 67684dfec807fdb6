package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Set by the linker where the source comes without its history, as into a
// container's build: -X main.release=0.1.0 -X main.revision=COMMIT.
var (
	release  string
	revision string
)

// version is the release, or else the version of the main module as the Go
// toolchain recorded it: a tag, a pseudo-version with the commit, or "(devel)".
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown)"
	}
	return info.Main.Version
}

// commit is that of the source, or empty if it is not known.
func commit() string {
	if revision != "" {
		return revision
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return ""
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and the commit if it is known",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			line := fmt.Sprintf("sidestream %s %s %s/%s", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			if c := commit(); c != "" {
				line += " " + c
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), line)
			return err
		},
	}
}
