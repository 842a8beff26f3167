import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Cookbook, openCookbook, type Recipe } from '../../docs/examples/search/cookbook.mjs'
import { SeededRandom } from '../simulation/seeded-random.js'
import { inDirectory, run } from './programs.js'

async function withCookbook(directory: string, test: (cookbook: Cookbook) => Promise<void>): Promise<void> {
  const cookbook = await openCookbook(directory)
  try {
    await test(cookbook)
  } finally {
    await cookbook.close()
  }
}

const ids = (found: readonly { id: string }[]): string[] => found.map(({ id }) => id)

const WORDS = ['apple', 'bread', 'celery', 'dill', 'egg', 'fig', 'garlic', 'honey']

describe('full-text search', () => {
  it('finds words wherever they stand, titles first, and what begins as asked', () =>
    inDirectory((directory) =>
      withCookbook(directory, async (cookbook) => {
        await cookbook.save('soup', { title: 'Soup', text: 'With an Apple in it', tags: ['Winter'] })
        await cookbook.save('cake', { title: 'Apple cake', ingredients: ['two apples', 'flour'] })
        expect(ids(await cookbook.search('APPLE'))).toEqual(['cake', 'soup'])
        expect(ids(await cookbook.search('apple fl*'))).toEqual(['cake'])
        expect(ids(await cookbook.search('apple', { tag: 'winter' }))).toEqual(['soup'])
        expect(ids(await cookbook.search('apple', { page: 1, size: 1 }))).toEqual(['soup'])
        expect(ids(await cookbook.search('the apple in the soup'))).toEqual(['soup'])
        expect(await cookbook.search('pear')).toEqual([])
        expect(await cookbook.search('the')).toEqual([])
        expect(await cookbook.complete('app')).toEqual(['apple', 'apples'])
        expect((await cookbook.search('flour'))[0]).toEqual({
          id: 'cake',
          title: 'Apple cake',
          ingredients: ['two apples', 'flour'],
        })
      }),
    ))

  it('hears of every change: old words go, ranges that are cleared too', () =>
    inDirectory((directory) =>
      withCookbook(directory, async (cookbook) => {
        for (const id of ['a', 'b', 'c']) await cookbook.save(id, { title: `apple ${id}` })
        expect(ids(await cookbook.search('apple'))).toEqual(['a', 'b', 'c'])
        await cookbook.save('a', { title: 'pear' })
        await cookbook.remove('b')
        expect(ids(await cookbook.search('apple'))).toEqual(['c'])
        expect(ids(await cookbook.search('pear'))).toEqual(['a'])
        await cookbook.db.keyspace('recipes').clear({ gte: 'b' })
        expect(await cookbook.search('apple')).toEqual([])
        expect(ids(await cookbook.search('pear'))).toEqual(['a'])
      }),
    ))

  it('begins anew where the log is not kept that far back', () =>
    inDirectory(async (directory) => {
      const cookbook = await openCookbook(directory, { logRetention: { bytes: 1 } })
      await cookbook.save('old', { title: 'apple' })
      expect(ids(await cookbook.search('apple'))).toEqual(['old'])
      const since = await cookbook.indexer.get('position')
      await cookbook.remove('old')
      await cookbook.save('new', { title: 'apple' })
      await cookbook.db.flush()
      await expect(cookbook.db.changes({ since: since!, follow: false }).next()).rejects.toMatchObject({
        code: 'SILT_GONE',
      })
      expect(ids(await cookbook.search('apple'))).toEqual(['new'])
      await cookbook.close()
    }))

  it.each(['DELETE', 'PUT', 'put'] as const)('goes on where it stopped, when it stopped at %s', (step) =>
    inDirectory(async (directory) => {
      await withCookbook(directory, async (cookbook) => {
        await cookbook.save('a', { title: 'apple' })
        await cookbook.save('b', { title: 'apple' })
        await cookbook.update()
        await cookbook.save('a', { title: 'pear' })
        await cookbook.remove('b')
        await cookbook.save('c', { title: 'apple' })
        const target = (step === 'put' ? cookbook.indexer : cookbook.index) as unknown as Record<string, () => unknown>
        target[step] = () => Promise.reject(new Error('the process dies here'))
        await expect(cookbook.search('apple')).rejects.toThrow('dies here')
      })
      await withCookbook(directory, async (cookbook) => {
        expect(ids(await cookbook.search('apple'))).toEqual(['c'])
        expect(ids(await cookbook.search('pear'))).toEqual(['a'])
      })
    }),
  )

  it('finds what is there, after its process was killed at any moment', () =>
    inDirectory(async (directory) => {
      const random = new SeededRandom(7)
      const recipes = new Map<string, Recipe>()
      const lines = Array.from({ length: 250 }, () => {
        const recipe = {
          id: `r${random.between(1, 120)}`,
          title: random.pick(WORDS),
          ingredients: [random.pick(WORDS)],
        }
        return JSON.stringify(recipe)
      })
      const file = join(directory, 'recipes.jsonl')
      let kills = 0
      for (let from = 0; from < lines.length; ) {
        writeFileSync(file, lines.slice(from).join('\n'))
        // Once while recipes come in, once a moment after the last one, when they are being indexed.
        const most = [100, lines.length - from][kills++]
        const { lines: saved } = await run('search/cook.mjs', ['import', file], directory, (_, sofar) =>
          sofar.length === most ? 'kill' : undefined,
        )
        for (const line of lines.slice(from, from + saved.length)) {
          const { id, ...recipe } = JSON.parse(line) as Recipe & { id: string }
          recipes.set(id, recipe)
        }
        from += saved.length
      }
      await withCookbook(join(directory, 'cookbook'), async (cookbook) => {
        for (const word of WORDS) {
          const expected = [...recipes].filter(([, { title, ingredients }]) => [title, ...ingredients!].includes(word))
          expect(new Set(ids(await cookbook.search(word, { size: recipes.size })))).toEqual(
            new Set(expected.map(([id]) => id)),
          )
        }
      })
    }))

  it('is a program', () =>
    inDirectory(async (directory) => {
      const cook = async (...args: string[]): Promise<readonly string[]> => {
        const { status, lines, errors } = await run('search/cook.mjs', args, directory)
        expect({ status, errors }).toEqual({ status: 0, errors: '' })
        return lines
      }
      expect(await cook('import', resolve('docs/examples/search/recipes.jsonl'))).toHaveLength(8)
      expect(await cook('onion', '--tag', 'soup')).toEqual([
        'Onion soup (onion-soup) #soup #winter',
        '  six onions, butter, stock, old bread, cheese',
        'Celery soup with apple (apple-soup) #soup',
        '  celery, one apple, onion, stock, cream',
      ])
      await cook('remove', 'onion-soup')
      expect(await cook('onion', '--tag', 'soup')).toHaveLength(2)
    }))
})
