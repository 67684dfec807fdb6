package schema

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Comments are the doc comments of a module's packages, each read from its
// source when it is first asked for. Make them with [NewComments].
type Comments struct {
	module, root string
	packages     map[string]*comments
	err          error // the first failure
}

// comments are those of one package, by the names of what they are about.
type comments struct {
	synopsis string                       // the first sentence of the package's
	types    map[string]string            // by type
	fields   map[string]map[string]string // by struct and field
	values   map[string]map[string]string // by type and value: those of constants
}

// NewComments returns the comments of the module of this name, whose root
// directory is root. It reads nothing yet.
func NewComments(module, root string) *Comments {
	return &Comments{module: module, root: root, packages: map[string]*comments{}}
}

// of returns the comments of the package that t is declared in; empty ones if
// it isn't one of the module.
func (c *Comments) of(t reflect.Type) *comments {
	path := t.PkgPath()
	if p, ok := c.packages[path]; ok {
		return p
	}
	p := &comments{types: map[string]string{}, fields: map[string]map[string]string{}, values: map[string]map[string]string{}}
	c.packages[path] = p
	dir, ok := strings.CutPrefix(path, c.module+"/")
	if !ok {
		return p
	}
	if err := p.read(filepath.Join(c.root, filepath.FromSlash(dir))); err != nil && c.err == nil {
		c.err = fmt.Errorf("comments of package %s: %w", path, err)
	}
	return p
}

func (p *comments) read(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(fset, file, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		p.file(parsed)
	}
	return nil
}

func (p *comments) file(f *ast.File) {
	if f.Doc != nil {
		p.synopsis = new(doc.Package).Synopsis(f.Doc.Text())
	}
	for _, d := range f.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range decl.Specs {
			switch spec := s.(type) {
			case *ast.TypeSpec:
				p.types[spec.Name.Name] = first(spec.Doc, decl.Doc)
				if fields, ok := spec.Type.(*ast.StructType); ok {
					p.fields[spec.Name.Name] = fieldComments(fields)
				}
			case *ast.ValueSpec:
				p.constants(spec)
			}
		}
	}
}

// constants keeps the comment of a constant that is declared with its type
// and a string.
func (p *comments) constants(spec *ast.ValueSpec) {
	typ, ok := spec.Type.(*ast.Ident)
	text := first(spec.Doc, spec.Comment)
	if !ok || text == "" || len(spec.Values) != 1 {
		return
	}
	literal, ok := spec.Values[0].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return
	}
	value, err := strconv.Unquote(literal.Value)
	if err != nil {
		return
	}
	if p.values[typ.Name] == nil {
		p.values[typ.Name] = map[string]string{}
	}
	p.values[typ.Name][value] = text
}

// fieldComments returns the comments of a struct's fields. One without any
// shares that of the field before it, if that speaks of it: "Min and Max bound
// …".
func fieldComments(s *ast.StructType) map[string]string {
	texts := map[string]string{}
	last := ""
	for _, f := range s.Fields.List {
		text := first(f.Doc, f.Comment)
		for _, name := range f.Names {
			if text == "" && regexp.MustCompile(`\b`+name.Name+`\b`).MatchString(last) {
				text = last
			}
			texts[name.Name] = text
		}
		last = text
	}
	return texts
}

// first returns the text of the first of groups that has one.
func first(groups ...*ast.CommentGroup) string {
	for _, g := range groups {
		if text := g.Text(); text != "" {
			return text
		}
	}
	return ""
}

// goName matches what may be the name of a field, by itself: no part of
// Content-Type.
var goName = regexp.MustCompile(`[\w.-]*[A-Z][\w.-]*`)

// ownName reports whether the name of a field is one that its bearer writes so,
// such as GitHub or CloudEvents: it has capitals inside that its key doesn't
// take for words.
func ownName(name, key string) bool {
	return strings.IndexFunc(name[1:], unicode.IsUpper) >= 0 && !strings.Contains(key, "_")
}

// plain returns a doc comment as plain text, a line for each paragraph and
// item of a list. Go names are replaced as keys say, but names such as URL,
// which are words as well, or GitHub, only where they begin the text.
func plain(text string, keys map[string]string) string {
	p := comment.Parser{
		LookupPackage: func(name string) (string, bool) { return name, true },
		LookupSym:     func(string, string) bool { return true },
	}
	text = strings.TrimSpace(string((&comment.Printer{TextWidth: -1}).Text(p.Parse(text))))
	first, rest, _ := strings.Cut(text, " ")
	if key, ok := keys[first]; ok {
		text = key + " " + rest
	}
	return goName.ReplaceAllStringFunc(text, func(name string) string {
		bare := strings.TrimRight(name, ".")
		if key, ok := keys[bare]; ok && bare != strings.ToUpper(bare) && !ownName(bare, key) {
			return key + name[len(bare):]
		}
		return name
	})
}
