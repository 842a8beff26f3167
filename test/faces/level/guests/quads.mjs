// quadstore, an RDF database: six indexes per quad, written in chained batches, read with nextv() in ranges and both orders.
// `node quads.mjs write DIRECTORY` ends without closing; `node quads.mjs read DIRECTORY` finds everything there.
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { Quadstore } from 'quadstore'
import { DataFactory } from 'rdf-data-factory'
import { SiltstoneLevel } from 'siltstone/level'

const [step, directory] = process.argv.slice(2)
const rdf = new DataFactory()
const name = (word) => rdf.namedNode(`http://example.com/${word}`)
const number = (n) => rdf.literal(String(n), rdf.namedNode('http://www.w3.org/2001/XMLSchema#integer'))
const LANGUAGES = ['en', 'de', 'ja']
const BOOKS = 300

/** What the store has to give, as plain objects: a year, a language and a title for each book, and who wrote the first. */
const books = Array.from({ length: BOOKS }, (_, i) => ({
  id: `book-${i}`,
  year: (i * 37) % 2000,
  language: LANGUAGES[i % 3],
  title: `本 ${i} \u{1f4d6}`,
}))

function quadsOf({ id, year, language, title }) {
  const graph = name(language)
  return [
    rdf.quad(name(id), name('year'), number(year), graph),
    rdf.quad(name(id), name('title'), rdf.literal(title, language), graph),
  ]
}

const db = new SiltstoneLevel(directory)
const store = new Quadstore({ backend: db, dataFactory: rdf })
const sizes = db.sublevel('sizes', { valueEncoding: 'json' })

/** Subjects of what was found, without what all of them begin with. */
const idsOf = (quads) => quads.map(({ subject }) => subject.value.split('/').at(-1))
const count = async (graph) => (await store.get({ graph })).items.length
const inYears = ({ year }, from, to) => year >= from && year < to

async function write() {
  await store.open()
  await store.putStream(Readable.from(books.flatMap(quadsOf)), { batchSize: 64 })
  // Blank nodes get names of their own in a scope, and a note in a sublevel goes into the same batch.
  const scope = await store.initScope()
  await store.put(rdf.quad(rdf.blankNode('author'), name('wrote'), name('book-0'), name('en')), {
    scope,
    preWrite: (batch) => batch.put('quads', BOOKS * 2 + 1, { sublevel: sizes }),
  })
  console.log(scope.id)
  process.exit(0)
}

async function read(scopeId) {
  await store.open()
  assert.equal(await sizes.get('quads'), BOOKS * 2 + 1)
  assert.equal((await store.get({})).items.length, BOOKS * 2 + 1)

  // The scope is found again: the same label is the same node.
  const scope = await store.loadScope(scopeId)
  await store.put(rdf.quad(rdf.blankNode('author'), name('wrote'), name('book-1'), name('en')), { scope })
  const { items: written } = await store.get({ predicate: name('wrote') })
  assert.deepEqual(idsOf(written.map(({ object }) => ({ subject: object }))).sort(), ['book-0', 'book-1'])
  assert.equal(new Set(written.map(({ subject }) => subject.value)).size, 1)

  // Numbers compare as numbers, from both ends, with a limit.
  const range = { termType: 'Range', gte: number(90), lt: number(1100) }
  const expected = books.filter((book) => inYears(book, 90, 1100)).sort((a, b) => a.year - b.year)
  assert.ok(expected.length > 100)
  const pattern = { predicate: name('year'), object: range }
  const upward = await store.get(pattern, { order: ['object'] })
  assert.deepEqual(
    idsOf(upward.items),
    expected.map(({ id }) => id),
  )
  const downward = await store.get(pattern, { order: ['object'], reverse: true, limit: 7 })
  assert.deepEqual(
    idsOf(downward.items),
    expected
      .reverse()
      .slice(0, 7)
      .map(({ id }) => id),
  )

  // An estimate never says that there is nothing where there is something.
  assert.ok((await store.countQuads(undefined, undefined, undefined, name('ja'))) > 0)

  // A stream shows the moment at which it was opened: what is removed under it still comes.
  const german = books.filter(({ language }) => language === 'de')
  const { iterator } = await store.getStream({ graph: name('de') }, { maxBufferSize: 8 })
  const titles = []
  let removal
  for await (const { object, predicate } of iterator) {
    removal ??= new Promise((resolve, reject) =>
      store.deleteGraph(name('de')).on('end', resolve).on('error', reject),
    ).then(() => count(name('de')))
    if (titles.length === 0) assert.equal(await removal, 0)
    if (predicate.value.endsWith('title')) titles.push(object.value)
  }
  assert.deepEqual(titles.sort(), german.map(({ title }) => title).sort())

  // One quad in place of another, in all six indexes at once.
  const [old] = quadsOf(books[0])
  await store.patch(old, rdf.quad(old.subject, old.predicate, number(5000), old.graph))
  const { items: years } = await store.get({ subject: old.subject, predicate: old.predicate })
  assert.deepEqual(
    years.map(({ object }) => object.value),
    ['5000'],
  )
  assert.deepEqual(idsOf((await store.get({ object: number(5000) })).items), ['book-0'])
  await store.close()

  await store.open()
  assert.equal(await count(name('de')), 0)
  assert.equal(await count(name('ja')), 200)
  assert.equal(await count(name('en')), 202)
  await store.clear()
  assert.equal((await store.get({})).items.length, 0)
  await store.close()
}

await (step === 'write' ? write() : read(process.argv[4]))
