// The store of a todo app. Todos stand by their number; indexes put them in the order of a list and in that of their dates. Every change is one
// transaction: the todo, its entries in the indexes, and what undoes it.
import { indexed, open, tuples } from 'siltstone'

const DAY_MS = 86_400_000
const UNDO_STEPS = 100
// Two who change things at the same time come one after the other; neither shall hear of it.
const PATIENT = { retries: 100 }

/** Opens the todos of a directory. Takes the options of `open`; with `readOnly` beside the process that writes them. */
export async function openTodos(directory, options = {}) {
  // Whoever watches from another process reads the log, so some of it is kept for them.
  const db = await open(directory, { logRetention: { bytes: 4 * 2 ** 20 }, ...options })
  const todos = await indexed(db.keyspace('todos', { keyEncoding: tuples, valueEncoding: 'json' }), {
    // Open ones first, those with a date first, in the order of their dates. Equal ones come in the order of their numbers.
    byList: ({ list, done, due }) => [[list, done, due === undefined, due ?? null]],
    byDate: ({ done, due }) => (done || due === undefined ? [] : [[due]]),
  })
  return new Todos(db, todos)
}

class Todos {
  constructor(db, todos) {
    this.db = db
    this.todos = todos
    this.numbers = db.keyspace('numbers', { valueEncoding: 'json' })
    this.undos = db.keyspace('undos', { keyEncoding: tuples, valueEncoding: 'json' })
  }

  /** Adds a todo and returns it. `due` is a date such as '2026-12-24'; with `everyDays`, finishing it adds the next one. */
  add({ title, list = 'inbox', due, everyDays }) {
    return this.change(`add "${title}"`, (set) => set.add({ title, list, done: false, due, everyDays }))
  }

  /** Finishes a todo. One that comes again is there again in the same commit, so it can neither be lost nor come twice. */
  finish(number) {
    return this.change(`finish ${number}`, async (set) => {
      const todo = await set.get(number)
      if (todo.done) return todo
      const { due, everyDays } = todo
      if (everyDays !== undefined) await set.add({ ...todo, due: addDays(due, everyDays) })
      return set.put({ ...todo, done: true })
    })
  }

  /** Changes what is given: title, list, due. */
  edit(number, changes) {
    return this.change(`edit ${number}`, async (set) => set.put({ ...(await set.get(number)), ...changes }))
  }

  remove(number) {
    return this.change(`remove ${number}`, async (set) => set.remove(await set.get(number)))
  }

  /** Removes what is done, of one list. */
  clean(list) {
    return this.change(`clean ${list}`, async (set) => {
      const done = await set.todos
        .index('byList')
        .keys({ prefix: [list, true] })
        .toArray()
      for (const [number] of done) await set.remove(await set.get(number))
      return done.length
    })
  }

  /** Takes back the last change that was not taken back; says which, or `undefined` when there is none. */
  undo() {
    return this.db.transaction(async (tx) => {
      const undos = tx.keyspace(this.undos)
      const [last] = await undos.entries({ reverse: true, limit: 1 }).toArray()
      if (last === undefined) return undefined
      const [step, { what, before }] = last
      const todos = this.todos.within(tx)
      for (const [number, todo] of before) {
        if (todo === null) await todos.del([number])
        else await todos.put([number], todo)
      }
      await undos.del(step)
      return what
    }, PATIENT)
  }

  /** One list in its order: open ones by date, then what is done. */
  list(name) {
    return this.atOneMoment((snapshot) => this.todosOf('byList', { prefix: [name] }, snapshot))
  }

  /** What is open and due by this day, over all lists. */
  dueBy(day) {
    return this.atOneMoment((snapshot) => this.todosOf('byDate', { lte: [day] }, snapshot))
  }

  /** The lists, with how many todos of each are open and done. */
  lists() {
    const byList = this.todos.index('byList')
    return this.atOneMoment(async (snapshot) => {
      const lists = []
      for (const name of await this.names(snapshot)) {
        const open = await byList.count({ prefix: [name, false], snapshot })
        const done = await byList.count({ prefix: [name, true], snapshot })
        lists.push({ name, open, done })
      }
      return lists
    })
  }

  /** All lists with their todos: now, and again after every change, whoever makes it. Who is slow skips what is overtaken, never the newest. */
  async *live(signal) {
    // From here on nothing is missed: it watches before it reads.
    const changes = this.todos.data.watch({}, { signal })
    try {
      do {
        yield await this.atOneMoment(async (snapshot) => {
          const names = await this.names(snapshot)
          const read = async (name) => ({ name, todos: await this.todosOf('byList', { prefix: [name] }, snapshot) })
          return Promise.all(names.map(read))
        })
      } while (!(await changes.next()).done)
    } finally {
      await changes.return()
    }
  }

  close() {
    return this.db.close()
  }

  async atOneMoment(read) {
    const snapshot = this.db.snapshot()
    try {
      return await read(snapshot)
    } finally {
      snapshot.close()
    }
  }

  /** The index has the numbers, in its order; the todos stand in the keyspace. */
  async todosOf(index, range, snapshot) {
    const numbers = await this.todos
      .index(index)
      .keys({ ...range, snapshot })
      .toArray()
    return this.todos.data.getMany(numbers, { snapshot })
  }

  /** The names of the lists. Jumps from one to the next instead of reading what they hold. */
  async names(snapshot) {
    const byList = this.todos.index('byList')
    const names = []
    for (let range = {}; ; range = { gt: [names.at(-1)] }) {
      const [first] = await byList.entries({ ...range, limit: 1, snapshot }).toArray()
      if (first === undefined) return names
      names.push(first[0][0])
    }
  }

  change(what, run) {
    return this.db.transaction(async (tx) => {
      const set = new ChangeSet(this, tx)
      const result = await run(set)
      await set.remember(what)
      return result
    }, PATIENT)
  }
}

/** What one transaction does to todos, and what was there before. */
class ChangeSet {
  constructor({ todos, numbers, undos }, tx) {
    this.data = tx.keyspace(todos.data)
    this.todos = todos.within(tx)
    this.numbers = tx.keyspace(numbers)
    this.undos = tx.keyspace(undos)
    this.before = new Map()
  }

  async get(number) {
    const todo = await this.data.get([number])
    if (todo === undefined) throw new Error(`There is no todo ${number}`)
    return todo
  }

  async add(todo) {
    const number = await this.next('todo')
    return this.put({ ...todo, number })
  }

  async put(todo) {
    await this.keep(todo.number)
    await this.todos.put([todo.number], todo)
    return todo
  }

  async remove(todo) {
    await this.keep(todo.number)
    await this.todos.del([todo.number])
    return todo
  }

  /** What was there before the first change counts. */
  async keep(number) {
    if (!this.before.has(number)) this.before.set(number, (await this.data.get([number])) ?? null)
  }

  async remember(what) {
    if (this.before.size === 0) return
    const step = await this.next('undo')
    await this.undos.put([step], { what, before: [...this.before] })
    await this.undos.clear({ lte: [step - UNDO_STEPS] })
  }

  /** Numbers are never given twice, also when what had them is gone. */
  async next(what) {
    const next = (await this.numbers.get(what)) ?? 1
    await this.numbers.put(what, next + 1)
    return next
  }
}

function addDays(date, days) {
  return new Date(Date.parse(date) + days * DAY_MS).toISOString().slice(0, 10)
}
