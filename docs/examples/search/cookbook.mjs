// A cookbook with full-text search. The recipes stand in a store; search-index keeps its inverted index in a second one, by way of SiltstoneLevel.
// The change feed of the first one says what to index, so the index can neither miss a recipe nor be ahead of them, whatever dies when.
import { once } from 'node:events'
import { join } from 'node:path'
import { SearchIndex } from 'search-index'
import { open, SiltstoneError } from 'siltstone'
import { SiltstoneLevel } from 'siltstone/level'

const AT_ONCE = 100
const WORD = /[\p{L}\d]+/gu
const STOPWORDS = ['a', 'an', 'and', 'in', 'of', 'on', 'or', 'the', 'to', 'with']
const LAST = '\uffff'

/** search-index makes its database itself, from a class and with options of its own; what else Siltstone shall know is added here. */
class SyncedLevel extends SiltstoneLevel {
  constructor(location, options) {
    // The index is on disk before the position that says so is written, also when the power fails.
    super(location, { ...options, siltstone: { sync: true } })
  }
}

/** Opens the cookbook of a directory. Takes the options of `open`, for the recipes. */
export async function openCookbook(directory, options = {}) {
  const db = await open(join(directory, 'recipes'), { logRetention: { bytes: 64 * 2 ** 20 }, ...options })
  const index = new SearchIndex({
    Level: SyncedLevel,
    name: join(directory, 'words'),
    stopwords: STOPWORDS,
    tokenSplitRegex: WORD,
    // Recipes are in the store; the index needs only to find their ids.
    storeRawDocs: false,
  })
  await once(index.EVENTS, 'ready')
  await index.VERSION_VALIDATED
  return new Cookbook(db, index)
}

class Cookbook {
  constructor(db, index) {
    this.db = db
    this.index = index
    this.recipes = db.keyspace('recipes', { valueEncoding: 'json' })
    this.indexer = db.keyspace('indexer', { valueEncoding: 'json' })
    this.updated = Promise.resolve()
  }

  /** `{ title, ingredients, text, tags }` under an id. The index hears of it by itself. */
  save(id, recipe) {
    return this.recipes.put(id, recipe)
  }

  remove(id) {
    return this.recipes.del(id)
  }

  /** The recipes with all of these words, best first; `pan*` is any word that begins so. A word of the title counts threefold. */
  async search(text, { tag, page = 0, size = 20 } = {}) {
    const words = text.toLowerCase().match(/[\p{L}\d]+\*?/gu) ?? []
    const wanted = words.filter((word) => !STOPWORDS.includes(word)).map(tokenOf)
    if (wanted.length === 0) return []
    if (tag !== undefined) wanted.push({ FIELD: 'tags', VALUE: tag.toLowerCase() })
    await this.update()
    const { RESULT } = await this.index.QUERY(
      { AND: wanted },
      {
        SCORE: { TYPE: 'TFIDF' },
        SORT: true,
        WEIGHT: [{ FIELD: 'title', WEIGHT: 3 }],
        PAGE: { NUMBER: page, SIZE: size },
      },
    )
    const ids = RESULT.map(({ _id }) => _id)
    const recipes = await this.recipes.getMany(ids)
    return ids.map((id, i) => ({ id, ...recipes[i] }))
  }

  /** The words that begin so. */
  async complete(start) {
    await this.update()
    const { RESULT } = await this.index.DICTIONARY(tokenOf(`${start.toLowerCase()}*`))
    return RESULT
  }

  /** Brings the index to where the recipes are. One at a time: the next one begins behind it. */
  update() {
    this.updated = this.updated.catch(() => {}).then(() => this.catchUp())
    return this.updated
  }

  async catchUp() {
    const since = await this.indexer.get('position')
    // Never indexed, or interrupted on the way.
    if (since === undefined) return this.rebuild()
    try {
      let position
      const changed = new Map()
      for await (const commit of this.db.changes({ since, follow: false })) {
        for (const { type, keyspace, key, value } of commit.operations) {
          if (keyspace !== this.recipes.name) continue
          // The feed names the range that was cleared and not the recipes in it.
          if (type === 'clear') return this.rebuild()
          changed.set(key, value)
        }
        if (changed.size > 0) position = commit.position
        if (changed.size >= AT_ONCE) await this.reindex(changed, position)
      }
      if (changed.size > 0) await this.reindex(changed, position)
    } catch (error) {
      // The log is not kept that far back, or the power took what was indexed already.
      if (!(error instanceof SiltstoneError) || error.code !== 'SILT_GONE') throw error
      await this.rebuild()
    }
  }

  /**
   * Indexes what has changed, and writes down how far that is. Doing it twice does no harm, so it does not matter between which two of these
   * steps the process dies: the next update does them again.
   */
  async reindex(changed, position) {
    // search-index adds the words of a document that it has already to the old ones, so the old ones go first.
    await this.index.DELETE(...changed.keys())
    await this.index.PUT([...changed].filter(([, recipe]) => recipe !== undefined).map(documentOf))
    await this.indexer.put('position', position)
    changed.clear()
  }

  /** Makes the index anew, from the recipes of one moment; the feed goes on from there. */
  async rebuild() {
    await this.indexer.del('position')
    const snapshot = this.db.snapshot()
    const scan = snapshot.keyspace(this.recipes).entries()
    try {
      await this.index.FLUSH()
      for (let slice = await scan.nextMany(AT_ONCE); slice.length > 0; slice = await scan.nextMany(AT_ONCE)) {
        await this.index.PUT(slice.map(documentOf))
      }
      await this.indexer.put('position', snapshot.position)
    } finally {
      scan.close()
      snapshot.close()
    }
  }

  async close() {
    await this.updated.catch(() => {})
    await this.index.INDEX.STORE.close()
    await this.db.close()
  }
}

function tokenOf(word) {
  if (!word.endsWith('*')) return { VALUE: word }
  const start = word.slice(0, -1)
  return { VALUE: { GTE: start, LTE: start + LAST } }
}

function documentOf([id, { title, ingredients, text, tags }]) {
  return { _id: id, title, ingredients, text, tags }
}
