"""Words that hold sentences together, or speak of the picture and not of what is in it: captions are cut at them."""

ENGLISH_TEXT = """
a an the this that these those some any each every no another other both all such
i me my mine you your yours he him his she her hers it its we us our ours they them their theirs one ones who whom
whose which what there here
and or but nor so yet if because while when where as than then though although until since
of in on at to from by with without for into onto over under above below behind beside between among against along
across around through near off out up down about after before during inside outside within toward towards upon
beneath next via per like
is are was were be been being am has have had having do does did doing done will would shall should can could may
might must
not very too also just only more most much many few less least several
photo photograph picture image shot view scene background foreground close-up closeup
"""
ENGLISH = frozenset(ENGLISH_TEXT.split())

# Chinese is escaped, as everywhere in what ComfyUI loads. Characters that stand within hardly any noun: the particles
# de, le, zhe; in, and, or, is, has; by, from, to; this, that, his, some; it, he, she, I, you; every, very, also, but.
CHINESE_CUTS = (
    "\u7684\u4e86\u7740\u5728\u548c\u4e0e\u53ca\u6216\u662f\u6709\u88ab\u8ba9\u4ece\u5230\u8fd9\u90a3"
    "\u5176\u4e4b\u4e9b\u5b83\u4ed6\u5979\u4eec\u6211\u4f60\u60a8\u8c01\u54ea\u6bcf\u67d0\u5f88\u4e5f"
    "\u90fd\u5c31\u8fd8\u53c8\u4f46\u800c"
)
# One to ten, hundred, thousand, both, a few.
CHINESE_NUMERALS = (
    "\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u5341\u767e\u5343\u4e07\u4e24\u51e00123456789"
)
# Measure words, as in "a sheet of paper".
CHINESE_MEASURES = (
    "\u53ea\u6761\u5f20\u4e2a\u4f4d\u540d\u5339\u6735\u68f5\u5ea7\u680b\u8f86\u67b6\u8258\u628a\u4ef6"
    "\u5757\u7247\u9897\u7c92\u676f\u7897\u76d8\u74f6\u7fa4\u53cc\u5e45\u675f\u4e32\u5319\u9876\u5934"
    "\u672c\u652f\u6839\u5bf9"
)
# On, under, in, before, behind, beside, between: of two characters, then of one.
CHINESE_PLACES = (
    "\u4e0a\u9762",
    "\u4e0b\u9762",
    "\u91cc\u9762",
    "\u524d\u9762",
    "\u540e\u9762",
    "\u65c1\u8fb9",
    "\u4e2d\u95f4",
    "\u4e0a",
    "\u4e0b",
    "\u91cc",
    "\u4e2d",
    "\u524d",
    "\u540e",
    "\u65c1",
)
