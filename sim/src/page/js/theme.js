// The colours of the style sheet, for the canvas.

const ROLE_SHAPES = ['looking', 'following', 'leading', 'observing', 'standalone'];

class Theme {
  constructor() {
    this.read();
  }

  read() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(name).trim();
    for (const name of ['paper', 'sheet', 'rise', 'line', 'line-strong', 'ink', 'soft', 'faint', 'accent', 'accent-wash', 'alarm', 'alarm-wash', 'alarm-ink']) {
      this[name.replace(/-(\w)/, (_, letter) => letter.toUpperCase())] = color(`--${name}`);
    }
    this.kinds = CATEGORIES.map(({ hue }) => color(hue));
    this.kindBytes = this.kinds.map(bytesOf);
    this.sides = [0, 1, 2, 3].map((n) => color(`--side-${n}`));
    this.roles = {};
    for (const shape of ROLE_SHAPES) this.roles[shape] = { fill: color(`--${shape}`), ink: color(`--${shape}-ink`) };
    this.sans = color('--sans');
    this.mono = color('--mono');
    this.hatch = hatch(this.ink);
    // Opaque: bars over one another do not darken.
    this.washes = this.kindBytes.map((bytes) => mixed(bytesOf(this.paper), bytes, 0.2));
  }

  font(size, weight = 400, family = this.sans) {
    return `${weight} ${size}px ${family}`;
  }
}

/// #rrggbb as three numbers.
function bytesOf(color) {
  const value = Number.parseInt(color.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/// So much of the second colour in the first.
function mixed(one, other, share) {
  return `rgb(${one.map((value, k) => Math.round(value + (other[k] - value) * share)).join(' ')})`;
}

/// Stripes that lie over the band of a process that is paused.
function hatch(color) {
  const tile = document.createElement('canvas');
  tile.width = tile.height = 6;
  const pen = tile.getContext('2d');
  pen.strokeStyle = color;
  pen.globalAlpha = 0.42;
  pen.lineWidth = 1.4;
  for (const shift of [-6, 0, 6]) {
    pen.beginPath();
    pen.moveTo(shift, 6);
    pen.lineTo(shift + 6, 0);
    pen.stroke();
  }
  return pen.createPattern(tile, 'repeat');
}

/// Widths of texts that were measured before: measuring each is not for every frame.
class Measure {
  constructor() {
    this.known = new Map();
  }

  width(pen, text) {
    // Each font has a table; a canvas tells its font slowly, so it is asked only when it changes.
    let width = this.table.get(text);
    if (width === undefined) {
      if (this.table.size > 20_000) this.table.clear();
      width = pen.measureText(text).width;
      this.table.set(text, width);
    }
    return width;
  }

  /// Sets the font, and which widths count.
  font(pen, font) {
    pen.font = font;
    if (!this.known.has(font)) this.known.set(font, new Map());
    this.table = this.known.get(font);
  }
}
