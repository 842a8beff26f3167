// A todo list for the terminal, and a second terminal that shows it live:
//
//   node docs/examples/todo/todo.mjs add "Water the plants" --list home --due 2026-12-01 --every 7
//   node docs/examples/todo/todo.mjs watch
import { parseArgs } from 'node:util'
import { openTodos } from './todos.mjs'

const USAGE = `todo.mjs [--store DIRECTORY] COMMAND

  list                                            what there is (also without a command)
  add TITLE [--list L] [--due DAY] [--every DAYS] add a todo; with --every it comes again when it is done
  done N · remove N · move N LIST                 change one
  clean LIST                                      remove what is done
  due [DAY]                                       what is due by a day, today if none is given
  undo                                            take back the last change, and the one before it
  watch                                           the lists, live, while other terminals change them`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    store: { type: 'string', default: './todos' },
    list: { type: 'string' },
    due: { type: 'string' },
    every: { type: 'string' },
    help: { type: 'boolean' },
  },
})
const [command = 'list', first, second] = positionals
const today = new Date().toISOString().slice(0, 10)

const STYLES = { bold: 1, red: 31, cyan: 36, gray: 90 }

function paint(style, text) {
  return process.stdout.isTTY ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text
}

function line({ number, title, list, done, due, everyDays }, withList = false) {
  const text = `${String(number).padStart(4)} ${done ? '●' : '○'} ${title}`
  const again = everyDays === undefined ? '' : `, every ${everyDays} days`
  const when = due === undefined ? '' : `  ${due}${again}`
  const late = !done && due !== undefined && due < today
  return paint(done ? 'gray' : late ? 'red' : 'bold', text) + paint('gray', when + (withList ? `  ${list}` : ''))
}

function show(lists) {
  if (lists.length === 0) console.log('nothing to do')
  for (const { name, todos } of lists) {
    const open = todos.filter(({ done }) => !done).length
    console.log(`${paint('cyan', name)} ${paint('gray', `${open} open, ${todos.length - open} done`)}`)
    for (const todo of todos) console.log(line(todo))
  }
}

/** The lists of one moment. */
async function showNow(todos) {
  for await (const lists of todos.live()) return show(lists)
}

const commands = {
  list: showNow,
  add: async (todos) => {
    const { list, due, every } = values
    const everyDays = every === undefined ? undefined : Number(every)
    const given = { list, due: due ?? (every && today), everyDays }
    const known = Object.entries(given).filter(([, value]) => value !== undefined)
    console.log(line(await todos.add({ title: first, ...Object.fromEntries(known) }), true))
  },
  done: async (todos) => console.log(line(await todos.finish(Number(first)))),
  remove: async (todos) => console.log(`removed ${(await todos.remove(Number(first))).title}`),
  move: async (todos) => console.log(line(await todos.edit(Number(first), { list: second }), true)),
  clean: async (todos) => console.log(`removed ${await todos.clean(first)}`),
  due: async (todos) => {
    for (const todo of await todos.dueBy(first ?? today)) console.log(line(todo, true))
  },
  undo: async (todos) => {
    const what = await todos.undo()
    console.log(what === undefined ? 'there is nothing to take back' : `took back: ${what}`)
  },
  watch: async (todos) => {
    // Another process writes; this one only reads, and is woken when the files of the store have changed.
    const following = todos.db.follow()
    for await (const lists of todos.live()) {
      if (process.stdout.isTTY) console.clear()
      show(lists)
      if (!process.stdout.isTTY) console.log()
    }
    await following
  },
}

if (values.help || !Object.hasOwn(commands, command)) {
  console.log(USAGE)
  process.exitCode = values.help ? 0 : 1
} else {
  const todos = await openTodos(values.store, { readOnly: command === 'watch' })
  try {
    await commands[command](todos)
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  } finally {
    await todos.close()
  }
}
