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

# Characters that stand within hardly any noun, unlike those for "on" or "big".
CHINESE_CUTS = "的了着在和与及或是有被让从到这那其之些它他她们我你您谁哪每某很也都就还又但而"
CHINESE_NUMERALS = "一二三四五六七八九十百千万两几0123456789"
CHINESE_MEASURES = "只条张个位名匹朵棵座栋辆架艘把件块片颗粒杯碗盘瓶群双幅束串匙顶头本支根对"
CHINESE_PLACES = ("上面", "下面", "里面", "前面", "后面", "旁边", "中间", "上", "下", "里", "中", "前", "后", "旁")
