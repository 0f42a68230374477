/** Text as it may stand in XML content and quoted attributes; characters that XML can't hold become U+FFFD. */
export function escape(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** A number with at most two decimals, the same on every machine. */
export const short = (value: number): string => String(Math.round(value * 100) / 100);

type Attributes = Readonly<Record<string, string | number>>;

/** An element; its content, if any, is markup already. */
export function element(name: string, attributes: Attributes, content = ''): string {
  const written = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? short(value) : escape(value)}"`)
    .join('');
  return content === '' ? `<${name}${written}/>` : `<${name}${written}>${content}</${name}>`;
}

export const text = (x: number, y: number, style: string, words: string, more: Attributes = {}): string =>
  element('text', { x, y, class: style, ...more }, escape(words));

/** What a pointer that rests on the element is shown. */
export const hint = (words: string): string => element('title', {}, escape(words));

/** Roughly how wide a text is, at 12 pixels. */
export const widthOf = (words: string): number => words.length * 6.6;

/** Seconds for people: `12.345 s`. */
export const seconds = (us: number): string => `${(us / 1_000_000).toFixed(3)} s`;
