package interlock

import (
	_ "github.com/goccy/go-yaml"
	_ "github.com/google/cel-go/cel"
	_ "github.com/pressly/goose/v3"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/santhosh-tekuri/jsonschema/v6"
	_ "github.com/spf13/cobra"
	_ "github.com/stretchr/testify/require"
	_ "go.temporal.io/api/enums/v1"
	_ "go.temporal.io/sdk/client"
	_ "go.uber.org/zap"
	_ "golang.org/x/crypto/blake2b"
	_ "golang.org/x/term"
	_ "modernc.org/sqlite"
)
