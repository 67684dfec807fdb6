package registry

import (
	"embed"
	"encoding/base64"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/options"
	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// known are the files that schemas import without a reference to them, beside
// those that come with Protobuf: Confluent's registry and serializers have
// them built in (ProtobufSchema.knownTypes).
//
//go:embed known
var known embed.FS

// rootPath is what the schema itself is called. One that imports a file of
// that name goes in a circle.
const rootPath = "(schema)"

// compileProtobuf makes a decoder of a .proto file.
func compileProtobuf(s schema, o Protobuf) (decoder, error) {
	l := protoLinker{
		texts:  map[string]string{},
		linked: map[string]linker.File{},
		files:  new(protoregistry.Files),
	}
	for _, ref := range s.references {
		l.texts[ref.name] = ref.text
	}
	l.texts[rootPath] = s.text
	if _, err := l.link(rootPath); err != nil {
		return nil, err
	}
	root, err := l.files.FindFileByPath(rootPath)
	if err != nil {
		return nil, unusable("it can't be linked: %w", err)
	}
	return newProtoDecoder(root, l.files, o), nil
}

// A protoLinker makes descriptors of files, each behind those that it imports.
// The compiler of the library would do so too, but in goroutines that nobody
// waits for.
type protoLinker struct {
	texts  map[string]string      // by path
	linked map[string]linker.File // by path; nil while its imports are linked
	files  *protoregistry.Files   // the same, for reading payloads
}

// link returns the file at path.
func (l *protoLinker) link(path string) (linker.File, error) {
	if f, seen := l.linked[path]; seen {
		if f == nil {
			return nil, unusable("it imports %q in a circle", path)
		}
		return f, nil
	}
	l.linked[path] = nil
	f, err := l.linkNew(path)
	l.linked[path] = f
	return f, err
}

func (l *protoLinker) linkNew(path string) (linker.File, error) {
	if std := standardFile(path); std != nil {
		return l.adopt(std)
	}
	text, err := l.text(path)
	if err != nil {
		return nil, err
	}
	handler := reporter.NewHandler(nil)
	parsed, err := parseProto(path, text, handler)
	if err != nil {
		return nil, err
	}
	var imports linker.Files
	for _, imported := range parsed.FileDescriptorProto().GetDependency() {
		f, err := l.link(imported)
		if err != nil {
			return nil, err
		}
		imports = append(imports, f)
	}
	f, err := linker.Link(parsed, imports, nil, handler)
	if err != nil {
		return nil, unusable("it can't be linked: %w", err)
	}
	// Options that can't be made sense of are of no interest here.
	if _, err := options.InterpretOptionsLenient(f); err != nil {
		return nil, unusable("its options can't be read: %w", err)
	}
	return f, l.register(f.FileDescriptorProto())
}

// text returns the file at path: of a reference, or one that is known.
func (l *protoLinker) text(path string) (string, error) {
	if b, err := known.ReadFile("known/" + path); err == nil {
		return string(b), nil
	}
	if text, ok := l.texts[path]; ok {
		return text, nil
	}
	return "", unusable("it imports %q, which is none of its references and not known otherwise", path)
}

// standardFile returns a file that comes with Protobuf, or nil.
func standardFile(path string) protoreflect.FileDescriptor {
	none := protocompile.ResolverFunc(func(string) (protocompile.SearchResult, error) {
		return protocompile.SearchResult{}, protoregistry.NotFound
	})
	found, err := protocompile.WithStandardImports(none).FindFileByPath(path)
	if err != nil {
		return nil
	}
	return found.Desc
}

// adopt takes a linked file as it is, with those that it imports.
func (l *protoLinker) adopt(f protoreflect.FileDescriptor) (linker.File, error) {
	for i := range f.Imports().Len() {
		if _, err := l.link(f.Imports().Get(i).Path()); err != nil {
			return nil, err
		}
	}
	if err := l.files.RegisterFile(f); err != nil {
		return nil, unusable("it defines what %q does: %w", f.Path(), err)
	}
	linked, err := linker.NewFileRecursive(f)
	if err != nil {
		return nil, unusable("it can't be linked: %w", err)
	}
	return linked, nil
}

// register makes a descriptor for reading payloads: faster than the linker's.
func (l *protoLinker) register(f *descriptorpb.FileDescriptorProto) error {
	d, err := protodesc.NewFile(f, l.files)
	if err == nil {
		err = l.files.RegisterFile(d)
	}
	if err != nil {
		return unusable("it can't be linked: %w", err)
	}
	return nil
}

// parseProto reads a file: the text of one, or, as some clients register them,
// its descriptor in base64.
func parseProto(path, text string, handler *reporter.Handler) (parser.Result, error) {
	if f := parseDescriptor(text); f != nil {
		f.Name = &path
		return parser.ResultWithoutAST(f), nil
	}
	if nesting(text) > maxProtoNesting {
		return nil, unusable("it nests more than %d levels deep", maxProtoNesting)
	}
	ast, err := parser.Parse(path, strings.NewReader(text), handler)
	if err != nil {
		return nil, unusable("it is no Protobuf schema: %w", err)
	}
	parsed, err := parser.ResultFromAST(ast, true, handler)
	if err != nil {
		return nil, unusable("it is no Protobuf schema: %w", err)
	}
	return parsed, nil
}

// maxProtoNesting bounds the brackets of a file, within each other. Messages
// may nest 32 deep (as protoc has it), and options a little.
const maxProtoNesting = 64

func parseDescriptor(text string) *descriptorpb.FileDescriptorProto {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil
	}
	var f descriptorpb.FileDescriptorProto
	if err := (proto.UnmarshalOptions{RecursionLimit: maxProtoNesting}).Unmarshal(b, &f); err != nil {
		return nil
	}
	return &f
}

// nesting returns how deep brackets nest in the text of a file, comments and
// strings aside, so that nothing recurses too deep in it.
func nesting(text string) int {
	depth, deepest := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[', '(', '<':
			depth++
			deepest = max(deepest, depth)
		case '}', ']', ')', '>':
			depth--
		case '"', '\'':
			i += quotedLen(text[i:]) - 1
		case '/':
			i += commentLen(text[i:])
		}
	}
	return deepest
}

// quotedLen returns the length of the string that s starts with.
func quotedLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0], '\n':
			return i + 1
		}
	}
	return len(s)
}

// commentLen returns how much of s, which starts with a slash, is a comment
// behind that; 0 if it is none.
func commentLen(s string) int {
	var end int
	switch {
	case strings.HasPrefix(s, "//"):
		end = strings.IndexByte(s, '\n')
	case strings.HasPrefix(s, "/*"):
		if end = strings.Index(s[2:], "*/"); end >= 0 {
			end += len("/*") + 1
		}
	default:
		return 0
	}
	if end < 0 {
		return len(s) - 1
	}
	return end
}
