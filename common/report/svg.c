#include "svg.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"

/* Blue below the middle (u), orange above it (o), each lighter towards it; in the dark scheme the
 * colours shine through less, so that text stays readable on them. */
static const char style[] =
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"
    "fill:#1f2328}\n"
    ".title{font-size:18px;font-weight:600}\n"
    ".head{font-size:13px;font-weight:600}\n"
    ".note{font-size:12px;fill:#59636e}\n"
    ".tick{font-size:10px;fill:#59636e;font-variant-numeric:tabular-nums}\n"
    ".cell{font-size:10px;font-variant-numeric:tabular-nums}\n"
    ".page{fill:#ffffff}\n"
    ".track,.l0{fill:#eceff2}\n"
    ".none{fill:#424a53}\n"
    ".frame{fill:none;stroke:#d1d9e0}\n"
    ".line{stroke:#59636e;stroke-width:1;stroke-dasharray:3 3}\n"
    ".first{fill:#6e7781}\n"
    ".second{fill:#8250df}\n"
    ".u1,.u2,.u3,.u4,.u5,.u6{fill:#1f6feb}\n"
    ".o1,.o2,.o3,.o4,.o5,.o6{fill:#d1570a}\n"
    ".u1,.o1{fill-opacity:.16}\n"
    ".u2,.o2{fill-opacity:.29}\n"
    ".u3,.o3{fill-opacity:.42}\n"
    ".u4,.o4{fill-opacity:.55}\n"
    ".u5,.o5{fill-opacity:.68}\n"
    ".u6,.o6{fill-opacity:.82}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#e6edf3}\n"
    ".note,.tick{fill:#9198a1}\n"
    ".page{fill:#0d1117}\n"
    ".track,.l0{fill:#20262d}\n"
    ".none{fill:#c9d1d9}\n"
    ".frame{stroke:#3d444d}\n"
    ".line{stroke:#9198a1}\n"
    ".first{fill:#8b949e}\n"
    ".second{fill:#ab7df8}\n"
    ".u1,.u2,.u3,.u4,.u5,.u6{fill:#4493f8}\n"
    ".o1,.o2,.o3,.o4,.o5,.o6{fill:#f0883e}\n"
    ".u1,.o1{fill-opacity:.2}\n"
    ".u2,.o2{fill-opacity:.29}\n"
    ".u3,.o3{fill-opacity:.38}\n"
    ".u4,.o4{fill-opacity:.47}\n"
    ".u5,.o5{fill-opacity:.56}\n"
    ".u6,.o6{fill-opacity:.66}\n"
    "}\n";

int svg_level(double ratio)
{
    double level = round(3 * log2(ratio));

    if (isnan(ratio)) /* nothing of nothing: as expected */
        return 0;
    return level > SVG_LEVELS ? SVG_LEVELS : level < -SVG_LEVELS ? -SVG_LEVELS : (int)level;
}

const char *svg_level_class(int level)
{
    static const char *const names[] = {"u6", "u5", "u4", "u3", "u2", "u1", "l0",
                                        "o1", "o2", "o3", "o4", "o5", "o6"};

    return names[level + SVG_LEVELS];
}

/* XML 1.0 has no control characters but these, and not the last two code points of the plane. */
static bool is_character(const char *c, size_t n)
{
    if (n == 1)
        return (unsigned char)*c >= ' ' || *c == '\t' || *c == '\n' || *c == '\r';
    return !(n == 3 && memcmp(c, "\xef\xbf", 2) == 0 && (unsigned char)c[2] >= 0xbe);
}

static void add_escaped(struct buffer *out, const char *text)
{
    static const char *const entities[] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;",
    };
    struct buffer valid = {0};
    size_t n;

    utf8_add_lossy(&valid, text, strlen(text));
    for (const char *c = valid.data; valid.size && *c; c += n) {
        unsigned char first = (unsigned char)*c;

        n = utf8_sequence((const unsigned char *)c, strlen(c));
        if (!is_character(c, n))
            buffer_add_text(out, "\xef\xbf\xbd");
        else if (first < sizeof entities / sizeof *entities && entities[first])
            buffer_add_text(out, entities[first]);
        else
            buffer_add(out, c, n);
    }
    buffer_release(&valid);
}

void svg_text(struct buffer *out, double x, double y, const char *css_class,
              enum svg_anchor anchor, const char *text)
{
    static const char *const anchors[] = {
        [SVG_START] = "", [SVG_MIDDLE] = " text-anchor=\"middle\"",
        [SVG_END] = " text-anchor=\"end\"",
    };

    buffer_format(out, "<text class=\"%s\" x=\"%.5g\" y=\"%.5g\"%s>", css_class, x, y,
                  anchors[anchor]);
    add_escaped(out, text);
    buffer_add_text(out, "</text>\n");
}

void svg_rect(struct buffer *out, double x, double y, double width, double height,
              const char *css_class, const char *tip)
{
    buffer_format(out, "<rect class=\"%s\" x=\"%.5g\" y=\"%.5g\" width=\"%.5g\" height=\"%.5g\"",
                  css_class, x, y, width, height);
    if (!tip) {
        buffer_add_text(out, "/>\n");
        return;
    }
    buffer_add_text(out, "><title>");
    add_escaped(out, tip);
    buffer_add_text(out, "</title></rect>\n");
}

void svg_line(struct buffer *out, double x1, double y1, double x2, double y2)
{
    buffer_format(out, "<line class=\"line\" x1=\"%.5g\" y1=\"%.5g\" x2=\"%.5g\" y2=\"%.5g\"/>\n",
                  x1, y1, x2, y2);
}

void svg_wrap(struct buffer *out, const struct buffer *body, double width, double height,
              const char *title, const char *description)
{
    buffer_format(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                  "viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-labelledby=\"title about\">\n",
                  width, height, width, height);
    buffer_add_text(out, "<title id=\"title\">");
    add_escaped(out, title);
    buffer_add_text(out, "</title>\n<desc id=\"about\">");
    add_escaped(out, description);
    buffer_format(out, "</desc>\n<style>\n%s</style>\n", style);
    buffer_format(out, "<rect class=\"page\" width=\"%.0f\" height=\"%.0f\"/>\n", width, height);
    buffer_add(out, body->data, body->size);
    buffer_add_text(out, "</svg>\n");
}

double svg_tick_width(size_t n_characters)
{
    return 6.2 * (double)n_characters;
}
