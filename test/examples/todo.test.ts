import { describe, expect, it } from 'vitest'
import { openTodos, type Todos } from '../../docs/examples/todo/todos.mjs'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { inDirectory, run } from './programs.js'

async function withTodos(test: (todos: Todos, reopen: () => Promise<Todos>) => Promise<void>): Promise<void> {
  const fs = new MemoryFileSystem()
  const open = (): Promise<Todos> => openTodos('/todos', { fs, executor: 'inline' })
  let todos = await open()
  await test(todos, async () => {
    await todos.close()
    todos = await open()
    return todos
  })
  await todos.close()
}

const titles = (todos: readonly { title: string }[]): string[] => todos.map(({ title }) => title)

describe('the todo app', () => {
  it('keeps lists in order: open ones by date, those without one behind, what is done last', () =>
    withTodos(async (todos, reopen) => {
      await todos.add({ title: 'no date' })
      await todos.add({ title: 'later', due: '2026-12-24' })
      await todos.add({ title: 'sooner', due: '2026-12-01' })
      await todos.add({ title: 'elsewhere', list: 'work', due: '2026-11-30' })
      await todos.finish(3)
      const check = async (now: Todos): Promise<void> => {
        expect(titles(await now.list('inbox'))).toEqual(['later', 'no date', 'sooner'])
        expect(titles(await now.dueBy('2026-12-24'))).toEqual(['elsewhere', 'later'])
        expect(titles(await now.dueBy('2026-12-23'))).toEqual(['elsewhere'])
        expect(await now.lists()).toEqual([
          { name: 'inbox', open: 2, done: 1 },
          { name: 'work', open: 1, done: 0 },
        ])
      }
      await check(todos)
      await check(await reopen())
    }))

  it('gives every todo a number of its own, however many are added at once', () =>
    withTodos(async (todos) => {
      const added = await Promise.all(Array.from({ length: 20 }, (_, i) => todos.add({ title: `todo ${i}` })))
      expect(new Set(added.map(({ number }) => number)).size).toBe(20)
      expect(await todos.lists()).toEqual([{ name: 'inbox', open: 20, done: 0 }])
    }))

  it('brings back what repeats once, also when it is finished twice at the same time', () =>
    withTodos(async (todos) => {
      await todos.add({ title: 'water the plants', due: '2026-12-28', everyDays: 7 })
      await Promise.all([todos.finish(1), todos.finish(1)])
      const list = await todos.list('inbox')
      expect(list.map(({ number, done, due }) => ({ number, done, due }))).toEqual([
        { number: 2, done: false, due: '2027-01-04' },
        { number: 1, done: true, due: '2026-12-28' },
      ])
    }))

  it('takes back change after change, with all that belongs to each', () =>
    withTodos(async (todos, reopen) => {
      await todos.add({ title: 'plants', due: '2026-12-28', everyDays: 7 })
      const first = await todos.list('inbox')
      await todos.finish(1)
      await todos.edit(2, { list: 'home' })
      await todos.clean('inbox')
      expect(await todos.lists()).toEqual([{ name: 'home', open: 1, done: 0 }])
      const again = await reopen()
      expect([await again.undo(), await again.undo(), await again.undo()]).toEqual([
        'clean inbox',
        'edit 2',
        'finish 1',
      ])
      expect(await again.list('inbox')).toEqual(first)
      expect(await again.lists()).toEqual([{ name: 'inbox', open: 1, done: 0 }])
      expect(titles(await again.dueBy('2026-12-28'))).toEqual(['plants'])
      expect([await again.undo(), await again.undo()]).toEqual(['add "plants"', undefined])
      expect((await again.add({ title: 'new' })).number).toBe(3)
    }))

  it('remembers a hundred changes', () =>
    withTodos(async (todos) => {
      for (let i = 0; i < 105; i++) await todos.add({ title: `todo ${i}` })
      let steps = 0
      while ((await todos.undo()) !== undefined) steps++
      expect(steps).toBe(100)
      expect(titles(await todos.list('inbox'))).toEqual(Array.from({ length: 5 }, (_, i) => `todo ${i}`))
    }))

  it('shows lists live', () =>
    withTodos(async (todos) => {
      const live = todos.live()
      expect((await live.next()).value).toEqual([])
      const added = await todos.add({ title: 'hello' })
      expect((await live.next()).value).toEqual([{ name: 'inbox', todos: [added] }])
      await todos.remove(1)
      expect((await live.next()).value).toEqual([])
      await live.return()
    }))

  it('is a program, with a second terminal that watches the first', () =>
    inDirectory(async (directory) => {
      const todo = async (...args: string[]): Promise<string> => {
        const { status, lines, errors } = await run('todo/todo.mjs', args, directory)
        expect(errors).toBe('')
        expect(status).toBe(0)
        return lines.join('\n')
      }
      expect(await todo('add', 'Plants', '--list', 'home', '--due', '2026-12-01', '--every', '7')).toBe(
        '   1 ○ Plants  2026-12-01, every 7 days  home',
      )
      let change: Promise<string> | undefined
      const watched = await run('todo/todo.mjs', ['watch'], directory, (line) => {
        if (line.includes('○ Plants  2026-12-01')) change = todo('done', '1')
        return line.includes('● Plants') ? 'kill' : undefined
      })
      expect(watched.lines.slice(0, 2)).toEqual(['home 1 open, 0 done', '   1 ○ Plants  2026-12-01, every 7 days'])
      expect(await change).toBe('   1 ● Plants  2026-12-01, every 7 days')
      expect(await todo()).toBe(
        'home 1 open, 1 done\n   2 ○ Plants  2026-12-08, every 7 days\n   1 ● Plants  2026-12-01, every 7 days',
      )
      expect(await run('todo/todo.mjs', ['done', '9'], directory)).toMatchObject({
        status: 1,
        errors: 'There is no todo 9\n',
      })
    }))
})
