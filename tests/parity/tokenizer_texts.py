"""tokenizer_texts.py - texts that tokenizers trip over, listed and at random.

The prose was written from memory, partly well-known pangrams: test data, not good prose.
"""

import random

PROSE = [
    "She sells sea shells by the sea shore; the shells she sells aren't all she's seen, I'd say.",
    "It was 9:45 p.m. on Friday, March 3rd, 2023 — and nobody'd paid the $1,249.99 bill yet!",
    "Voix ambiguë d'un cœur qui, au zéphyr, préfère les jattes de kiwis. Où ça ? À l'hôtel, 12 €.",
    "Falsches Üben von Xylophonmusik quält jeden größeren Zwerg. STRASSE, Straße, Maß.",
    "El veloz murciélago hindú comía feliz cardillo y kiwi. ¿Cuándo? ¡Mañana!",
    "Um pequeno jabuti xereta viu dez cegonhas felizes. Às três, amanhã, na praça.",
    "Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy. Árvíztűrő tükörfúrógép.",
    "Fahiş bluz güvencesi yapmıştır; IŞIK ışık İZMİR izmir. Høj bly gom vandt fræk sexquiz på wc.",
    "Do bạch kim rất quý nên sẽ dùng để lắp vô xương. Ngày mai trời sẽ mưa to, phải không?",
    "Kæmi ný öxi hér, ykist þjófum nú bæði víl og ádrepa.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Объём: 42 м², №7.",
    "Жебракують філософи при ґанку церкви в Гадячі, ще й шатро їхнє п'яне знаємо.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ὦ ἄνδρες Ἀθηναῖοι, ΟΔΥΣΣΕΥΣ οδυσσεύς.",
    "Բոլոր մարդիկ ծնվում են ազատ ու հավասար։ ყველა ადამიანი იბადება თავისუფალი.",
    "עטלף אבק נס דרך מזגן שהתפוצץ כי חם. בְּרֵאשִׁית בָּרָא אֱלֹהִים",
    "صِف خَلقَ خَودِ كَمِثلِ الشَمسِ إِذ بَزَغَت. السعر ١٢٣٫٤٥ ريال؟ سلام، دنیا! می‌خواهم ۱۲۳",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है। क्ष ज्ञ श्र १२३",
    "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।",
    "ਸਾਰਾ ਮਨੁੱਖੀ ਪਰਿਵਾਰ। બધા મનુષ્યો જન્મથી સ્વતંત્ર છે. ସବୁ ମଣିଷ ସମାନ।",
    "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர். ప్రతిపత్తి ಎಲ್ಲಾ മനുഷ്യരെല്ലാവരും",
    "සියලු මනුෂ්‍යයෝ නිදහස්ව උපත ලබා ඇත. นายสังฆภัณฑ์ เฮงพิทักษ์ฝั่ง ผู้เฒ่าซึ่งมีอาชีพ กำน้ำ",
    "ມະນຸດທຸກຄົນ ເກີດມາມີສິດ. འགྲོ་བ་མིའི་རིགས་རྒྱུད། လူတိုင်းသည် တူညီ၊ មនុស្សទាំងអស់",
    "የሰው ልጅ ሁሉ ሲወለድ ነጻ ነው። ᏂᎦᏓ ᎠᏂᏴᏫ Ꮣꮣ. ᠪᠦᠬᠦ ᠬᠦᠮᠦᠨ ᐃᓄᓕᒫᑦ",
    "다람쥐 헌 쳇바퀴에 타고파. 모든 인간은 태어날 때부터 자유로우며, 동등하다. ㄱㄴㄷ ㅏㅑ",
    "色は匂へど散りぬるを、我が世誰ぞ常ならむ。カタカナー、ﾊﾝｶｸｶﾞﾅ、「括弧」・ＡＢＣ１２３！東京都",
    "天地玄黃宇宙洪荒日月盈昃辰宿列張。他說：“你好嗎？”价格是３．５元，共２４个。《红楼梦》",
    "Mixed русский 中文 λόγος עברית हिन्दी ไทย 한국어 naïve façade №5 — 50 % off… «oui» ‘no’ “yes”",
    "𝕳𝖊𝖑𝖑𝖔 𝒲ℴ𝓇𝓁𝒹 ⁿ₂ ½ ⅓ Ⅻ ⅷ ① ㈱ ㎏ ℃ Å Ω K ﬁ ﬄ ﷺ ㋿ 🅰 🈂 𐐷 𞤀 𑄶 ᱑ ꧒",
    "😀 👨‍👩‍👧‍👦 👩🏽‍🚀 🏴󠁧󠁢󠁳󠁣󠁴󠁿 🇩🇪🇫🇷🇯 1️⃣ #️⃣ ❤️‍🔥 ☎︎ ✈️ 🫠 🫨 🤦🏼‍♂️",
]

CODE = [
    "int main(int argc, char **argv)\n{\n    for (int i = 0; i < argc; ++i)\n\t\tprintf(\"%d: %s\\n\", i, argv[i]);\n    return 0x7fffFFFF & ~1u;\n}\n",
    "def f(x: list[int], *, y=None) -> dict:\n    \"\"\"Doc's string.\"\"\"\n    return {k: v ** 2 for k, v in enumerate(x) if k % 3 != 0 and not y}\n\n\n",
    "fn main() -> Result<(), Box<dyn Error>> {\n    let v: Vec<_> = (0..10).map(|i| i * 2).collect();\n    println!(\"{v:?}\");\n    Ok(())\n}\n",
    "const f = async ({a, b = 2}, ...rest) => { await fetch(`/api/${a}?b=${b}`); return a?.b ?? rest[0]; };\r\n\r\n",
    "SELECT u.id, COUNT(*) AS n FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE u.name LIKE '%''s%' GROUP BY 1;\n",
    "#!/bin/sh\nset -eu\nfor f in *.txt; do\n  sed -e 's/^[ \\t]*//' \"$f\" >\"${f%.txt}.out\" || exit 1\ndone\n",
    "{\"a\": [1, 2.5, -3e-7, null, true], \"b\": {\"c\": \"\\u00e9\\n\"}}\n",
    "<!DOCTYPE html>\n<html lang=\"en\"><head><title>A &amp; B</title></head>\n<body class='x y'>&nbsp;<br/></body></html>\n",
    "| a | b |\n|---|:-:|\n| `x` | **y** |\n\n* item\n    * nested\n\n---\n\n```py\nprint()\n```\n",
    "\\begin{equation}\n  \\sum_{i=1}^{n} x_i^2 \\leq \\frac{1}{2}\\|y\\|\n\\end{equation}% comment\n",
    "+++ b/file.c\n@@ -1,3 +1,4 @@\n-old line\n+new line\n \n\\ No newline at end of file\n",
    "2024-02-29T23:59:59.999Z [ERROR] 192.168.0.1:8080 user@host.tld GET /a/b?c=d#e 404 (0.003s)\n",
]

# By kind: white space, joiners and format characters, controls, marks, case, digits, punctuation,
# scripts with their own rules, normal forms, emoji, unassigned and private ones, ends of ranges.
SPACE = [" ", " ", " ", "  ", "   ", "\n", "\n", "\t", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\xa0", "\u1680", "\u180e",
         *map(chr, range(0x2000, 0x200b)), "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\u200b", "\ufeff", "\u2581"]
FORMAT = ["\u200c", "\u200d", "\u200e", "\u200f", "\u2060", "\u00ad", "\u061c", "\u202e", "\u2066", "\u206f", "\ufff9",
          "\U000e0001", "\U000e0067", "\U000e007f", "\U0001d173", "\u0600", "\u06dd", "\u070f", "\u08e2", "\U000110bd"]
CONTROL = ["\0", "\x01", "\x08", "\x0e", "\x1b", "\x1c", "\x1f", "\x7f", "\x80", "\x8f", "\x9d", "\x9f", "\ufffd", "\ufffc"]
MARK = ["\u0300", "\u0301", "\u0302", "\u0303", "\u0307", "\u0308", "\u030c", "\u031b", "\u0323", "\u0327", "\u0328", "\u0338",
        "\u0344", "\u0345", "\u035f", "\u0489", "\u05b0", "\u05bc", "\u064b", "\u0651", "\u0670", "\u06e5", "\u093c", "\u094d", "\u093e",
        "\u09be", "\u0bd7", "\u0d3b", "\u0e33", "\u0e38", "\u0e48", "\u0eb3", "\u0f71", "\u1037", "\u1039", "\u17d2", "\u1abf",
        "\u1ab0", "\u1df6", "\u0897", "\u20d0", "\u20dd", "\u20e3", "\u302a", "\u3099", "\u309a", "\ufe0e", "\ufe0f", "\ufe20", "\U000101fd",
        "\U00011347", "\U0001133b", "\U0001d165", "\U0001e000", "\U0001e8d0", "\U0001e944", "\U0001da9b", "\U000e0100", "\U00011f41"]
CASE = list("\u0130\u0131\u1e9e\u00df\u03a3\u03c3\u03c2\u01c4\u01c5\u01c6\u02b0\u00aa\u00ba\u216f\u212a\u212b\u017f\u0149\u0390\u1f80\u1fbc\ufb05\u0587"
            "\u10a0\u10d0\u1c90\u13a0\uab70\u2160\u24b6\ua7ae\ua64a\u1c80\uff21\uff41\u0250\u1d79\ua7cb\u019b\ua7dc\U00010400\U00010428"
            "\U00010570\U00010d50\U00016e40\U00016ea0\U0001e900\U0001d400\U0001f130")
DIGIT = ["0", "1", "7", "42", "007", "123", "1234", "12345678", "\u0660", "\u06f5", "\u0966", "\u09ea", "\u0be7", "\u0bf0", "\u0e51", "\u0f2a", "\u00b2", "\u00b9",
         "\u00bd", "\u2150", "\u2167", "\u2188", "\u2460", "\u24ea", "\u2776", "\u3007", "\u3021", "\u3192", "\u3220", "\u3280", "\u4e00", "\u5341", "\uff10", "\U00010107",
         "\U0001d7d8", "\U0001fbf0", "\U00010d40", "\U0001ccf0", "\U00011de0", "\U0001f100", "3.14", "1,000", "-5", "1e9", "2024-01-02"]
PUNCTUATION = [*"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "''", "--", "...", "?!", "\u00a1", "\u00a7", "\u00ab", "\u00b6", "\u00b7", "\u00bb", "\u00bf", "\u00b4",
               "\u037e", "\u0387", "\u055a", "\u0589", "\u05be", "\u060c", "\u061f", "\u0964", "\u0e4f", "\u0f0b", "\u104a", "\u10fb", "\u1360", "\u1400",
               "\u166d", "\u166e", "\u17d4", "\u1800", "\u2010", "\u2014", "\u2018", "\u2019", "\u201c", "\u2026", "\u2030", "\u203f", "\u2044", "\u2053",
               "\u207d", "\u2308", "\u2329", "\u27e6", "\u2cf9", "\u2e2e", "\u2e3a", "\u2e43", "\u2e52", "\u2e5d", "\u3001", "\u3002", "\u300c", "\u301c",
               "\u3030", "\u30fb", "\ua4fe", "\ua8fc", "\ufe10", "\ufe33", "\ufe50", "\uff01", "\uff0c", "\uff3f", "\uff65", "\U00010100", "\U000111c9",
               "\U00011660", "\U00012470", "\U0001e95e", "\u00a2", "\u00a3", "\u20ac", "\u20bf", "\u20c0", "\u20c1", "\u00d7", "\u2200", "\u2190", "\u2500",
               "\u25a0", "\u2603", "\u2764", "\u2c2f", "\u309b", "\ufb29", "\uffe0", "\uffe5", "\u00ac", "\u00b0", "\u00a6", "\u02c6", "\u1fbd"]
SCRIPT = [*"aZ\u00e9\u00f1\u0153\u0142\u0444\u042f\u03b1\u0391\u0531\u10d3\u05d0\u0627\u0915\u0995\u0b95\u0e01\u0e40\u0e81\u0f40\u1000\u1200\u1100\u1161\u11a8\u13a3\u1780\u1820",
          "\uac00", "\ud55c", "\ud7a3", "\u1112\u1161\u11ab", "\u1100\u1161", "\ua960", "\ud7b0", "\u3042", "\u30a2", "\u30fc", "\u3005", "\u3006", "\u31f0",
          "\uff71", "\uff9e", "\uffa1", "\u4e00", "\u9fff", "\u3400", "\u4dbf", "\uf900", "\ufa6d", "\U00020000", "\U0002a6df", "\U0002a700", "\U0002b740",
          "\U0002b81f", "\U0002b820", "\U0002b920", "\U0002ceaf", "\U0002ceb0", "\U0002ebf0", "\U0002f800", "\U00030000", "\U00031350", "\U000323b0",
          "\u16a0", "\u2c00", "\u2d30", "\ua000", "\ua840", "\uab01", "\U00010330", "\U00012000", "\U00013000", "\U00017000", "\U0001b000", "\U00011d00",
          "\U00010d4a", "\U00016d40", "\U0001e5d0", "\u1c8a", "\ua7da", "\u088f", "\u0c5c"]
FORMS = ["e\u0301", "\u00e9", "a\u0323\u0302", "a\u0302\u0323", "\u1ead", "\u0344", "\u212b", "\u2126", "\u0958", "\u0929", "\u09cb", "\u0b94", "\u0dde", "\u1026", "\u1b06",
         "\u2adc", "\ufb2c", "\ufb1d", "\ufb01", "\ufb03", "\ufdfa", "\ufefb", "\u3300", "\u32ff", "\u33a5", "\u00a8", "\u2002", "\u2011", "\u2474", "\u2103", "\u1e9b\u0323", "\u3071",
         "\u306f\u309a", "\uff76\uff9e", "\u01d5", "\u1f82", "\U0001109a", "\U0001d15e", "\U0001d160", "\U000110ab", "\U00011938", "\U000105c9", "\ua69c", "\uab69",
         "\ua7f2", "\U00010781", "\U0001ccd6", "\U0001e030", "\U0001f16c", "\ufe70", "\u1d2c", "\u2f00", "\u3131", "\uffa0"]
EMOJI = ["\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea", "\U0001f1e9", "1\ufe0f\u20e3", "\u2764\ufe0f", "\u2764",
         "\U0001f3f4\U000e0067\U000e0062\U000e007f", "\u231a", "\u00a9\ufe0f", "\U0001fae8", "\U0001fae9", "\U0001fac6", "\U0001f9d1\u200d\U0001f680", "\u2620\ufe0f"]
ODD = ["\u0378", "\u0530", "\ufdd0", "\ufffe", "\uffff", "\ue000", "\uf8ff", "\U000f0000", "\U0010ffff", "\U0001ffff", "\U000e0fff", "\U0003fffd", "\ud7ff", "\u07ff", "\u0800"]
CONTRACTION = ["'s", "'S", "'t", "'re", "'RE", "'ve", "'m", "'ll", "'LL", "'d", "'D", "\u2019s", "'\u017f", "'\u212a", "'x", "I'm", "don't", "they'Ll", "''s", " 's"]
DISPLAY = ["\u0120", "\u010a", "\u0121", "\u0143", "\u0100", "\u00c3\u00a9", "\u0120the", "##ing", "##", "</w>", "<0x0A>", "<0xE2>", "<0xe2>", "<0x>", "\u2581the", "\u2581\u2581",
           "\u00e2\u0138\u0123"]
WORDS = ["the", "The", "THE", " the", " of", "ing", "tion", "Hello", "hello", "world", "a", "I", "x", "un", "s", "re", "http", "www", "def", "return", "ABC", "camelCase",
         "snake_case", "Z\u00fcrich", "na\u00efve", "\u041f\u0440\u0438\u0432\u0435\u0442", "\u4f60\u597d", "\u6771\u4eac"]
BROKEN = ["<|im_sta", "<|endoftext", "|>", "<s", "/s>", "<", "[MASK", "[CLS", "]", "<pad", "<unk", "<extra_id_", "<|", "<mas", "<bo", "</"]
KINDS = [SPACE, SPACE, FORMAT, CONTROL, MARK, MARK, CASE, DIGIT, PUNCTUATION, PUNCTUATION, SCRIPT, FORMS, EMOJI, ODD, CONTRACTION, DISPLAY, WORDS, WORDS, WORDS]


def code_point(r):
    """Any of them, the lower and denser planes more often."""
    while True:
        c = r.choice([r.randrange(0x20, 0x7f), r.randrange(0x80), r.randrange(0x3000), r.randrange(0x3000, 0x10000), r.randrange(0x10000, 0x20000),
                      r.randrange(0x10000, 0x110000)])
        if not 0xd800 <= c < 0xe000:
            return chr(c)


def listed(added=()):
    """The test list: each piece alone, doubled, between letters and between spaces; long texts."""
    pieces = sorted({p for kind in KINDS for p in kind} | set(BROKEN))
    texts = ["", *PROSE, *CODE]
    for piece in pieces:
        texts += [piece, piece + piece, f"a{piece}b", f" {piece} "]
    for token in added:
        texts += [token, token + token, f"a{token}b", f" {token} ", f"x  {token}  y", f"\u3000{token}\n", f"_{token}-", token[:-1], token[1:], token.upper(),
                  token.lower(), f"{token[:1]} {token[1:]}", f"a{token}\u0301", f"\u0301{token}\u200d"]
    texts += ["1" * n for n in range(1, 9)]
    for unit, count in (("a", 101), ("a", 100), ("ab", 300), ("a", 5000), (" ", 3000), ("\n", 400), ("\u00e9", 130), ("\u65e5", 260), ("\U0001f600", 80), ("\u0301", 200),
                        ("<0x0A>", 20), ("\u2581", 70), ("!", 300), ("9", 300), ("\t ", 60), ("word ", 100), ("x\n\n", 60), ("\r\n", 40)):
        texts += [unit * count, f"x {unit * count} y"]
    return list(dict.fromkeys(texts))


def slice_of(r, text, longest):
    start = r.randrange(len(text))
    return text[start:start + r.randint(1, longest)]


def random_text(r, added=(), longest=9):
    parts = []
    for _ in range(r.randint(1, longest)):
        k = r.random()
        if k < 0.25:
            parts.append(slice_of(r, r.choice(PROSE), r.choice([6, 20, 60])))
        elif k < 0.33:
            parts.append(slice_of(r, r.choice(CODE), 30))
        elif k < 0.45 and added:
            token = r.choice(added)
            parts.append(r.choice([token, token, token, token + token, " " + token, token + " ", token[:-1], token[1:], slice_of(r, token, 9), token.swapcase()]))
        elif k < 0.48:
            parts.append(r.choice(BROKEN))
        elif k < 0.55:
            parts.append("".join(code_point(r) for _ in range(r.randint(1, 4))))
        elif k < 0.58:
            parts.append(r.choice(r.choice(KINDS)) * r.randint(2, 40))
        else:
            parts += [r.choice(r.choice(KINDS)) for _ in range(r.randint(1, 3))]
    return "".join(parts)


def at_random(seed, count, added=(), longest=9):
    r = random.Random(seed)
    return [random_text(r, added, longest) for _ in range(count)]
