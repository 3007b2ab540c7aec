"""The page's own part of a map: what a browser needs to walk through it, in one script without anything from elsewhere.

`MAP` holds a concept a row: English name, Chinese name, id, numbers of its parents, captions, coverage, rarity.
"""

STYLE = """
input { font: inherit; width: 100%; padding: .4rem; box-sizing: border-box; }
button.go { font: inherit; color: inherit; background: none; border: 0; padding: 0;
  text-decoration: underline; cursor: pointer; }
"""

BODY = """<label>Search, in English or Chinese <input id="search" type="search"></label>
<nav id="above" class="small"></nav><h2 id="name"></h2><p id="told"></p>
<p class="small">Sorted by <select id="order"><option value="5">coverage</option><option value="6">rarity</option>
<option value="0">name</option></select> <span id="shown"></span></p>
<table><thead><tr><th>concept</th><th></th><th>below</th><th>captions</th><th>with those below</th><th>rarity</th></tr>
</thead><tbody id="rows"></tbody></table>
"""

SCRIPT = """// A walk from the top down: the list of what is below, or of what was searched for.
const MOST = 500
const [NAME, CHINESE, ID, PARENTS, CAPTIONS, COVERAGE, RARITY] = [0, 1, 2, 3, 4, 5, 6]
const below = MAP.map(() => [])
const tops = []
MAP.forEach((row, number) => {
  row[PARENTS].forEach((parent) => below[parent].push(number))
  if (!row[PARENTS].length) tops.push(number)
})
const element = (id) => document.getElementById(id)
const titleOf = (number) => MAP[number][NAME] || MAP[number][CHINESE] || MAP[number][ID]
const at = () => {
  const number = Number(location.hash.slice(1) || "-1")
  return Number.isInteger(number) && MAP[number] ? number : -1
}

function link(number, text) {
  const made = document.createElement("button")
  made.className = "go"
  made.textContent = text
  made.title = number < 0 ? "" : MAP[number][ID]
  made.onclick = () => {
    element("search").value = ""
    location.hash = number < 0 ? "" : String(number)
    show()
  }
  return made
}

function above(number) {
  const way = []
  for (let each = number; each !== undefined && !way.includes(each); each = MAP[each][PARENTS][0]) way.unshift(each)
  return way
}

function compare(column) {
  const name = (one, other) => titleOf(one).localeCompare(titleOf(other))
  if (column === NAME) return name
  return (one, other) =>
    (MAP[other][column] ?? 0) - (MAP[one][column] ?? 0) || below[other].length - below[one].length || name(one, other)
}

function rowOf(number) {
  const row = document.createElement("tr")
  const [first, ...numbers] = [link(number, titleOf(number)), MAP[number][CHINESE], below[number].length,
    MAP[number][CAPTIONS], MAP[number][COVERAGE], MAP[number][RARITY]?.toFixed(2) ?? ""]
  row.insertCell().append(first)
  numbers.forEach((value, place) => {
    const cell = row.insertCell()
    cell.textContent = String(value)
    if (place) cell.className = "number"
  })
  return row
}

function found(words) {
  const fits = (row) => [NAME, CHINESE, ID].some((column) => row[column].toLowerCase().includes(words))
  return MAP.flatMap((row, number) => (fits(row) ? [number] : []))
}

function show() {
  const words = element("search").value.trim().toLowerCase()
  const number = at()
  const listed = words ? found(words) : number < 0 ? tops : below[number]
  const sorted = [...listed].sort(compare(Number(element("order").value)))
  element("above").replaceChildren(link(-1, "all"))
  if (number >= 0) above(number).forEach((each) => element("above").append(" \\u203a ", link(each, titleOf(each))))
  element("name").textContent = words ? "Found" : number < 0 ? "What is at the top" : titleOf(number)
  element("told").replaceChildren()
  if (number >= 0 && !words) tell(number)
  element("rows").replaceChildren(...sorted.slice(0, MOST).map(rowOf))
  element("shown").textContent = sorted.length > MOST ? `the first ${MOST} of ${sorted.length}` : `${sorted.length}`
}

function tell(number) {
  const row = MAP[number]
  const rarity = row[RARITY] === null ? "" : `; rarity ${row[RARITY].toFixed(2)}`
  const text = `${row[CHINESE]} ${row[ID]}; captions: ${row[CAPTIONS]}, with those below: ${row[COVERAGE]}${rarity}. `
  element("told").append(text)
  if (row[PARENTS].length < 2) return
  element("told").append("A kind of ", ...row[PARENTS].flatMap((each) => [link(each, titleOf(each)), " "]))
}

element("search").oninput = show
element("order").onchange = show
addEventListener("hashchange", show)
show()
"""
