"""template_texts.py - random templates in the language of chat templates, from a seed.

Small ones, of the parts where implementations differ: operators over all kinds of values, filters,
tests and methods with odd arguments, white space control, scopes. Many of them fail in jinja2; they
have to fail here, too.
"""

import random

ATOMS = """
0 1 -1 2 3 7 -7 10 100 2.5 -0.5 1e3 1e22 1e-5 0.1 100000.0 123456789012345678901234567890 true false none
'' 'a' 'abc' 'Hello World' '  padded  ' 'a,b,,c' "it's" '"q"' 'é' 'ßΣ' 'straße ΣΑΣ' 'line1\\nline2\\n' '1' '42.7' ' 12 ' '0x1F' '<b>&' '{x}' '%s' 'ab ab'
[] [1] [1,2,3] [3,1,2] ['b','a','C'] ['x','y'] [[1,2],[3,4]] [1,'a',none,true,2.0] [none] [1,true,1.0]
() (1,) (1,2) ('a','b') {} {'a':1} {'b':2,'a':1} {'a':{'b':[1,2]}} {'k':'v','n':none} {1:'one',true:'t'}
u u2 content messages messages[0] messages[-1] role num text lst dct deep range(3) range(5,0,-2) dct.items() dct.keys() lst|map('string')|list nested
""".split()
for joined in ("'Hello World'", "'  padded  '", "'straße ΣΑΣ'", "' 12 '", "'ab ab'"):
    for part in joined.split(" "):
        while part in ATOMS:
            ATOMS.remove(part)
    ATOMS.append(joined)
ATOMS = [atom for atom in ATOMS if atom]

VARIABLES = {
    "content": "Some text, with Words.", "role": "user", "num": 3, "text": "αβγ <x> & 'y'\n  z\n", "lst": [3, 1, 2, 1],
    "dct": {"b": 2, "a": "x", "C": None}, "deep": {"a": {"b": {"c": [1, {"d": "e"}]}}},
    "nested": [{"n": "b", "v": 2, "t": {"k": 1}}, {"n": "A", "v": 1, "t": {"k": 2}}, {"n": "c", "v": 3}],
}
BINARY = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
FILTERS = """
abs attr('a') batch(2) batch(2,'x') capitalize center(9) count d d('z') d('z',true) default('q') dictsort dictsort(true)
dictsort(false,'value') dictsort(reverse=true) e escape filesizeformat filesizeformat(true) first float float(1.5) format format(1)
format('a','b') groupby('n') groupby('v') indent indent(2) indent(2,true) indent(2,true,true) indent('>') int int(5) int(7,16) int(base=2)
items join join(',') join(', ','n') join('-',attribute='v') last length list lower map('upper') map(attribute='n') map(attribute='x',default='?')
map('length') map('int') min max min(attribute='v') max(attribute='n') reject reject('none') reject('string') rejectattr('n','equalto','b')
replace('a','b') replace('a','b',1) replace('','-') reverse round round(1) round(-1) round(0,'ceil') round(1,'floor') safe select select('string')
select('number') select('odd') selectattr('n') selectattr('v','gt',1) selectattr('t.k','defined') selectattr('n','in',['b','c']) slice(2) slice(3,'x')
sort sort(true) sort(attribute='n') sort(attribute='v,n') sort(case_sensitive=true) string striptags sum sum('v') sum(start=5) title tojson
tojson(indent=2) tojson(ensure_ascii=true) tojson(separators=(',',':')) tojson(sort_keys=true) tojson(true,1) tojson(indent=0) trim trim('ab ') truncate(5) truncate(5,true)
truncate(8,false,'..',0) unique unique(true) unique(attribute='n') upper urlencode wordcount xmlattr forceescape
""".split("\n")
FILTERS = [word for line in FILTERS for word in line.split(" ") if word]
LAZY = ("map", "select", "reject", "batch", "slice", "unique", "items", "reverse")  # printed, they show an address
FILTERS = [f + (" | list" if f.startswith(LAZY) else "") for f in FILTERS if f.count("(") == f.count(")")] + ["join(', ','n')", "trim('ab ')"]
TESTS = """
defined undefined none boolean true false integer float number string mapping sequence iterable callable escaped odd even lower upper
divisibleby(2) divisibleby(0) eq(1) equalto('a') ne(2) lt(3) gt(0) ge('a') le(2) in([1,'a']) sameas(none) sameas(true)
""".split()
METHODS = """
split() split(',') split('a',1) split('') strip() strip('ab') lstrip() rstrip('\\n') startswith('a') startswith(('a','H')) endswith('c') endswith('')
upper() lower() title() capitalize() swapcase() replace('a','X') replace('b','',1) replace('','.') find('b') rfind('b') index('z') count('a') count('')
join(['a','b']) join([1]) splitlines() splitlines(true) partition(',') rpartition('b') removeprefix('a') removesuffix('c') center(7) center(8,'*') ljust(6,'.')
rjust(6) zfill(5) expandtabs(4) isalpha() isdigit() isupper() islower() isspace() istitle() isalnum() rsplit('b',1) rsplit() rsplit(none,1) format(1) format(x=1) format('a',x='b')
items() keys() values() get('a') get('zz') get('zz',5) copy() index(1) index('a') count(1) append(1) pop() update({}) __class__ name first last a b.c 0 n
""".split()
SLICES = ["[0]", "[-1]", "[5]", "['a']", "['n']", "[1:]", "[:1]", "[:-1]", "[::-1]", "[::2]", "[5:1:-2]", "[-2:]", "[true]", "[none]", "[1.0]", "[none:2]"]
SLICED = ["content", "text", "lst", "nested", "messages", "u", "role", "'abcdef'", "[1, 2, 3]", "lst | list", "dct", "num"]
FORMATS = ["%d", "%5d", "%-5d|", "%05d", "%+d", "%x", "%X", "%o", "%#x", "%s", "%10s", "%-10s|", "%.2s", "%r", "%f", "%.2f", "%8.3f", "%e", "%g", "%c", "%%", "%s %s", "%(a)s", "%(b)d", "%5.1f%%", "%i", "%q", "%"]
SPECS = ["", ":d", ":5d", ":<5", ":>8", ":^9", ":*^9", ":05d", ":+d", ":,", ":_", ":x", ":#x", ":b", ":o", ":e", ":.2f", ":8.3f", ":g", ":%", ":.1%", ":s", ":.2s", ":10s", ":c", "!r", "!s", "!r:>8", ":.3", ":q"]


class Maker:
    def __init__(self, seed):
        self.chance = random.Random(seed)

    def pick(self, items):
        return self.chance.choice(items)

    def atom(self):
        return self.pick(ATOMS)

    def expression(self, depth):
        if depth <= 0:
            return self.atom()
        kind = self.chance.random()
        inner = self.expression(depth - 1)
        if kind < 0.2:
            return f"{inner} {self.pick(BINARY)} {self.expression(depth - 1)}"
        if kind < 0.45:
            return f"({inner}) | {self.pick(FILTERS)}"
        if kind < 0.52:
            return f"({inner}) is {self.pick(['', 'not '])}{self.pick(TESTS)}"
        if kind < 0.68:
            return f"({inner}).{self.pick(METHODS)}"
        if kind < 0.78:
            slice = self.pick(SLICES)
            # jinja2 folds constants, and a slice of one that has none is undefined and no error
            return f"({self.pick(SLICED)}){slice}" if ":" in slice else f"({inner}){slice}"
        if kind < 0.82:
            return f"({inner} if {self.expression(depth - 1)} else {self.atom()})"
        if kind < 0.85:
            return f"({inner} if {self.atom()})"
        if kind < 0.88:
            return self.pick(["not ", "-", "+"]) + inner
        if kind < 0.92:
            return f"[{inner}, {self.atom()}]"
        if kind < 0.94:
            return f"{{'k': {inner}}}"
        if kind < 0.97:
            return f"'{self.pick(FORMATS)}' % ({inner}, )" if self.chance.random() < 0.5 else f"'{self.pick(FORMATS)}' % ({inner})"
        return "'{" + self.pick(["", "0", "0.a", "0[a]", "0[0]"]) + self.pick(SPECS) + "}'.format(" + inner + ")"

    def gap(self):
        return self.pick(["", "", " ", "\n", "\n  ", "  \n", " x ", "\n\n", "\t", "a\n  "])

    def tag(self, text):
        return "{%" + self.pick(["", "", "", "-", "+"]) + f" {text} " + self.pick(["", "", "", "-", "+"]) + "%}"

    def shown(self, depth=1):
        return "{{" + self.pick(["", "", "-"]) + f" {self.expression(depth)} " + self.pick(["", "", "-"]) + "}}"

    def name(self):
        return self.pick(["x", "y", "z", "num", "loop", "ns.a", "ns.b", "content"])

    def statement(self, depth):
        kind = self.chance.random()
        if depth <= 0 or kind < 0.25:
            return self.pick([self.shown, lambda: "{{ x }}", lambda: "{{ y }}|{{ z }}", lambda: "{{ ns.a }}", lambda: "{# c #}", lambda: "{{ loop.index }}"])()
        body = self.body(depth - 1)
        if kind < 0.4:
            return self.tag(f"if {self.expression(1)}") + body + self.pick(["", self.tag("else") + self.body(depth - 1), self.tag(f"elif {self.atom()}") + "E"]) + self.tag("endif")
        if kind < 0.6:
            over = self.pick(["lst", "dct", "nested", "'abc'", "range(3)", "[]", "messages", self.atom()])
            condition = self.pick(["", "", "", " if x", " if loop", f" if x {self.pick(['!=', '>', '=='])} {self.atom()}"])
            target = self.pick(["x", "x", "x", "x, y", "m"])
            if target == "x, y":
                over = self.pick(["dct.items()", "dct | dictsort", "[[1, 2], [3, 4]]", "lst"])
            inside = self.pick(["", "", self.tag("break"), self.tag("continue"), "{{ loop.last }}{{ loop.previtem }}", "{{ loop.nextitem }}{{ loop.revindex }}", "{{ loop.cycle('a', 'b') }}{{ loop.changed(x) }}"])
            orelse = self.pick(["", "", self.tag("else") + "none"])
            return self.tag(f"for {target} in {over}{condition}") + body + inside + orelse + self.tag("endfor")
        if kind < 0.75:
            return self.tag(f"set {self.name()} = {self.expression(1)}")
        if kind < 0.8:
            return self.tag(f"set {self.pick(['x', 'y'])}{self.pick(['', ' | upper', ' | trim'])}") + body + self.tag("endset")
        if kind < 0.88:
            name = self.pick(["f", "g"])
            parameters = self.pick(["", "x", "x, y=2", "x=1, y=x"])
            extra = self.pick(["", "", "{{ caller() }}", "{{ varargs }}{{ kwargs }}"])
            call = self.pick([f"{{{{ {name}() }}}}", f"{{{{ {name}(1) }}}}", f"{{{{ {name}(1, y=3) }}}}", f"{{{{ {name}(1, 2, 3) }}}}", self.tag(f"call {name}(4)") + "C" + self.tag("endcall")])
            return self.tag(f"macro {name}({parameters})") + body + extra + self.tag("endmacro") + call
        if kind < 0.91:
            return self.tag(f"filter {self.pick(['upper', 'trim', 'replace(1, 2)', 'indent'])}") + body + self.tag("endfilter")
        if kind < 0.94:
            return self.tag(f"with x = {self.atom()}") + body + self.tag("endwith")
        if kind < 0.97:
            return self.tag("generation") + body + self.tag("endgeneration")
        return self.tag("raw") + "{{ x }}" + self.pick(["\n", " "]) + self.tag("endraw")

    def body(self, depth):
        return "".join(self.gap() + self.statement(depth) for _ in range(self.chance.randint(1, 2))) + self.gap()

    def template(self):
        if self.chance.random() < 0.6:
            return f"{{{{ {self.expression(self.chance.randint(1, 3))} }}}}"
        return "{% set ns = namespace(a=1) %}" + "".join(self.gap() + self.statement(3) for _ in range(self.chance.randint(1, 4))) + self.gap()
