//! Changes scripts by chance, always the same way: what libFuzzer does, as far as it goes without an instrumented build.

/// Scripts made of others.
#[derive(Debug)]
pub struct Mutations {
    seeds: Vec<Vec<String>>,
    /// What is written into scripts besides parts of other scripts.
    pieces: &'static [&'static str],
    state: u64,
}

impl Mutations {
    /// Scripts made of these, in an order that is always the same.
    pub fn of(seeds: &[String], pieces: &'static [&'static str]) -> Self {
        let lines = |seed: &String| seed.lines().map(str::to_owned).collect();
        Self {
            seeds: seeds.iter().map(lines).collect(),
            pieces,
            state: 0,
        }
    }

    /// A number below `bound`, by splitmix64.
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap() % bound.max(1)
    }

    fn line(&mut self) -> String {
        let seed = self.below(self.seeds.len());
        let line = self.below(self.seeds[seed].len());
        self.seeds[seed].get(line).cloned().unwrap_or_default()
    }

    fn piece(&mut self) -> String {
        if self.below(2) == 0 {
            return self.pieces[self.below(self.pieces.len())].to_owned();
        }
        let line = self.line();
        let words: Vec<&str> = line.split([' ', '/', '"', ',']).collect();
        words[self.below(words.len())].to_owned()
    }

    fn change(&mut self, script: &mut Vec<String>) {
        let at = self.below(script.len() + 1);
        let Some(line) = script.get_mut(at) else {
            script.push(self.line());
            return;
        };
        let mut characters: Vec<char> = line.chars().collect();
        let place = self.below(characters.len() + 1);
        match self.below(7) {
            0 => {
                script.remove(at);
                return;
            }
            1 => {
                let line = self.line();
                script.insert(at, line);
                return;
            }
            2 => {
                let other = self.below(script.len());
                script.swap(at, other);
                return;
            }
            3 => {
                let again = line.clone();
                script.push(again);
                return;
            }
            4 => characters.truncate(place),
            5 => {
                let end = (place + self.below(8)).min(characters.len());
                characters.splice(place..end, self.piece().chars());
            }
            _ => {
                let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
                let mut words = words;
                let word = self.below(words.len());
                words[word] = self.piece();
                script[at] = words.join(" ");
                return;
            }
        }
        script[at] = characters.into_iter().collect();
    }
}

impl Iterator for Mutations {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let seed = self.below(self.seeds.len());
        let mut script = self.seeds.get(seed)?.clone();
        for _ in 0..=self.below(6) {
            self.change(&mut script);
        }
        Some(script.join("\n").into_bytes())
    }
}
