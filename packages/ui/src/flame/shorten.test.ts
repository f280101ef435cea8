import { describe, expect, test } from 'vitest';
import { cutText, fitName, shortForms } from './shorten.ts';

describe('short names', () => {
  test.each([
    [
      'std::vector<int, std::allocator<int> >::push_back(int&&)',
      ['std::vector<…>::push_back', 'vector<…>::push_back', 'push_back'],
    ],
    ['net/http.(*conn).serve', ['http.(*conn).serve', '(*conn).serve', 'serve']],
    ['com.acme.Cart.price', ['acme.Cart.price', 'Cart.price', 'price']],
    ['do_syscall_64', []],
    ['operator<(A const&, B const&)', ['operator<']],
    ['libc.so.6+0x1a2b', ['+0x1a2b']],
  ])('%s', (name, shorter) => {
    expect(shortForms(name).slice(1)).toEqual(shorter);
  });

  test('the longest form that fits is taken', () => {
    const name = 'std::vector<int, std::allocator<int> >::push_back(int&&)';
    expect(fitName(name, 80)).toBe(name);
    expect(fitName(name, 30)).toBe('std::vector<…>::push_back');
    expect(fitName(name, 12)).toBe('push_back');
    expect(fitName(name, 6)).toBe('push_…');
    expect(fitName(name, 2)).toBe('');
  });

  test('no result is longer than asked for', () => {
    for (let max = 0; max < 40; max++)
      expect(fitName('alpha_beta_gamma_delta_epsilon', max).length).toBeLessThanOrEqual(max);
  });

  test('labels are cut at the end', () => {
    expect(cutText('postgres.service', 9)).toBe('postgres…');
  });
});
