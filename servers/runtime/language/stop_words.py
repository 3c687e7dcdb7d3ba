"""Words that are about nothing, by language. Pure."""

from collections.abc import Iterable

_LANGUAGES = (
    # English, with what chats are full of. Parts before an apostrophe stand for contractions.
    """a able about above across actually after again against ago all almost along already also
    always am amazing an and another any anyone anything are aren around as ask at awesome away
    back be because been before being best better between bit both but by bye came can cannot come
    could couldn day days definitely did didn different do does doesn doing don done down during
    each either else enough even ever every everyone everything exactly far feel feeling few find
    first for found from fun further gave get gets getting give glad go going gonna good got great
    guess had hadn happened happy hard has hasn have haven having he hear heard hello help her
    here hers herself hey hi him himself his hmm hope how however i if in into is isn it its
    itself just keep kind knew know last later least less let like little ll lol long look looking
    looks lot lots love made make makes making many may maybe me mean means might mine more most
    much must my myself need needs never new next nice no nobody none nor not nothing now of off
    often oh ok okay on once one only onto or other others our ours out over own people perhaps
    please pretty put quite rather re ready really right said same saw say saying see seem seems
    seen shall she should shouldn show since so some someone something sometimes soon sorry sound
    sounds still stuff such super sure take takes taking talk tell than thank thanks that the
    their theirs them themselves then there these they thing things think thinking this those
    though thought through time times to today together told tomorrow tonight too took totally
    tried true try trying two under until up upon us use used using ve very via wait want wanted
    wants was wasn way we week well went were weren what whatever when where whether which while
    who whole whom whose why will wish with within without won wonder wonderful work would wouldn
    wow yeah year years yep yes yesterday yet you your yours yourself""",
    # German.
    """aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bin
    bis bist bitte bloß da dabei dadurch dafür dagegen daher damit danach dann daran darauf daraus
    darf darin darum das dass davon davor dazu dein deine dem den denn der des dich die dies diese
    diesem diesen dieser dieses dir doch dort du durch dürfen ein eine einem einen einer eines
    einfach er es etwas euch euer für ganz gar gegen genau gern gibt ging gut guten habe haben
    hallo hat hatte hatten hier hin hinter ich ihm ihn ihnen ihr ihre im immer in ins ist ja jede
    jedem jeden jeder jetzt kann kein keine können könnte machen mal man mehr mein meine meinen
    mich mir mit muss müssen nach naja nein nicht nichts noch nun nur ob oder ohne schon sehr sei
    sein seine seit sich sie sind so soll sollte um und uns unser unsere unter viel viele
    vielleicht vom von vor wann war waren warum was weil welche wenn wer werde werden wie wieder
    will wir wird wirklich wo wollen worden wurde würde zu zum zur zwar zwischen""",
    # French.
    """ai aller alors après au aucun aussi autre aux avait avant avec avez avoir avons beaucoup
    bien bon bonjour car ce cela celle celui ces cet cette ceux chaque chez comme comment dans de
    depuis des deux dire dois doit donc dont du elle elles en encore entre est et était été être
    eu fait faire faut fois ici il ils jamais je juste la là le les leur leurs lui ma mais me même
    merci mes moi moins mon ne ni non nos notre nous on ont ou où oui par parce pas peu peut peux
    plus pour pourquoi pouvez quand que quel quelle quelque qui quoi rien sa sans se sera ses si
    son sont sous suis sur ta tant te tes toi ton toujours tous tout toute toutes très trop tu un
    une va vais vers veux voici voilà vos votre vous vraiment""",
    # Spanish.
    """ahora al algo alguna alguno allí antes aquí así aún aunque bien bueno cada casi como cómo
    con cual cuál cuando cuándo cuánto de del desde después donde dónde dos el él ella ellas ellos
    en entonces entre era eres es esa ese eso esta está están estar estas este esto estos estoy
    fue fueron gracias ha había hace hacer hacia han hasta hay he hola hoy la las le les lo los
    luego más me mi mí mientras mis mucho muy nada ni no nos nosotros nuestra nuestro nunca o otra
    otro para pero poco por porque qué que quién quiero sea según ser será si sí sido siempre sin
    sobre solo sólo son soy su sus también tampoco tan tanto te tengo tiene tienen todo todos tu
    tú tus un una uno unos usted vamos voy y ya yo""",
    # Italian.
    """a ad agli ai al alla alle allora altro anche ancora avere aveva bene c che chi ci ciao come
    con così cosa cui da dal dalla dei del della delle dello di dopo dove due e è ed era essere fa
    fare fatto fino fra già gli grazie ha hai hanno ho i il in io la le lei lo loro lui ma mai me
    meno mi mia mio molto ne nei nel nella no noi non nostro o ogni oggi oppure ora per perché
    però più poco poi prima proprio può qua quale quando quanto quello questa queste questo qui
    sarà se sei senza si sì sia siamo sono sopra sotto sta stato su sua sul sulla suo tra troppo
    tu tua tuo tutti tutto un una uno va vi voi voglio volta""",
    # Portuguese.
    """a agora ainda além algo algum ali antes ao aos apenas aqui as até bem bom cada com como da
    das de dela dele depois desde do dois dos e é ela elas ele eles em então entre era essa esse
    esta está estar estava este estou eu fazer foi foram fui há hoje isso isto já lá mais mas me
    mesmo meu minha muito na nada não nas nem no nos nós nossa nosso num numa nunca o obrigado olá
    onde os ou outra outro para pela pelo pode por porque pra qual quando quanto que quem quero
    são se seja sem sempre ser será seu sim sobre só sua são também tão te tem tenho ter teve
    tinha todo todos tudo um uma vai você vocês vou""",
    # Dutch.
    """aan al alle alles als altijd andere ben bij bijna daar dag dan dat de deze die dit doe doen
    door dus een eens en er even gaan gaat geen gewoon goed had hallo heb hebben heeft heel het
    hier hij hoe hun ik in is ja jaar je jij jouw jullie kan kon kunnen maar maken meer men met
    mij mijn moet moeten na naar nee niet niets nog nu of om omdat onder ons ook op over te toch
    toen tot tussen u uit uw van veel voor waar waarom wanneer want waren was wat we weer wel werd
    wie wij wil worden wordt zal ze zei zelf zich zij zijn zo zonder zou""",
    # Chinese, by character.
    """的 了 是 我 你 他 她 它 们 在 不 有 和 就 这 那 个 吗 呢 吧 啊 也 都 很 到 要 会 说
    去 上 下 对 与 及 把 被 让 给 从 向 但 而 或 一 么 什 怎 哪 谁 没 还 又 再 只 得 地
    着 过 想 能 可 以 来""",
)

LANGUAGES = tuple(frozenset(words.split()) for words in _LANGUAGES)


def language_of(words: Iterable[str]) -> frozenset[str]:
    """The stop words of the language in which these words are written, by how many of them it has;
    English if none has any."""
    found = list(words)
    return max(LANGUAGES, key=lambda stops: sum(word in stops for word in found))
