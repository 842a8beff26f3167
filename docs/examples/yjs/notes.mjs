// Notes that several people edit at once, offline too: Yjs documents, kept by y-leveldb on Siltstone.
import { SiltstoneLevel } from 'siltstone/level'
import { LeveldbPersistence } from 'y-leveldb'

/** Opens the notes of a directory. */
export async function openNotes(directory) {
  let level
  // y-leveldb makes its database from a class and keeps it to itself. This one remembers what was made.
  class Level extends SiltstoneLevel {
    constructor(location, options) {
      super(location, options)
      level = this
    }
  }
  // What is kept is on disk; y-leveldb has no word for that, so it is said to the store.
  const persistence = new LeveldbPersistence(directory, { Level, levelOptions: { siltstone: { sync: true } } })
  // It would open by itself, but then a directory that is in use would only be a warning.
  await level.open()
  return new Notes(persistence, level)
}

class Notes {
  constructor(persistence, level) {
    this.persistence = persistence
    this.level = level
  }

  /** A note as it was kept. Whatever is done to it is kept as well; `saved()` resolves when all of it so far is on disk. */
  async open(name) {
    const doc = must(await this.persistence.getYDoc(name), `read ${name}`)
    let saving = Promise.resolve()
    doc.on('update', (update) => {
      saving = Promise.all([saving, this.keep(name, update)])
      // Whoever asks hears of it; nobody has to.
      saving.catch(() => {})
    })
    return { doc, saved: () => saving.then(() => {}) }
  }

  names() {
    return this.persistence.getAllDocNames()
  }

  /** What a note has that is not in a state of it elsewhere, in the bytes that go over a wire. */
  async since(name, state) {
    return must(await this.persistence.getDiff(name, state), `read ${name}`)
  }

  /** How far a note is here: a few bytes for each person who has written in it. */
  async state(name) {
    return must(await this.persistence.getStateVector(name), `read ${name}`)
  }

  /** Keeps what was written elsewhere, in any order, twice if need be. */
  async keep(name, update) {
    must(await this.persistence.storeUpdate(name, update), `keep ${name}`)
  }

  close() {
    return this.persistence.destroy()
  }
}

/** Gives each of two what the other has and it has not. */
export async function exchange(name, here, there) {
  const [stateHere, stateThere] = [await here.state(name), await there.state(name)]
  await there.keep(name, await here.since(name, stateThere))
  await here.keep(name, await there.since(name, stateHere))
}

/** y-leveldb warns of what goes wrong and answers with null, which is easily taken for done. */
function must(result, what) {
  if (result === null || result === undefined) throw new Error(`Could not ${what}; the warning above says why`)
  return result
}
