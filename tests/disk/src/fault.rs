//! What goes wrong, and when.

/// What an operation meets; `tests:disk/control` says what each means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error of the device.
    Io,
    /// A sync that fails.
    FailedSync,
    /// A full disk.
    NoSpace,
    /// Half of what was asked.
    Short,
}

/// What is done to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Opens a file; some make one.
    Open {
        makes: bool,
    },
    Read,
    Write,
    Resize,
    Sync,
    /// Looks at a size or whether a file is there.
    Stat,
    Delete,
    Rename,
}

/// One fault at its time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) fault: Fault,
    /// Operations that could meet it and still pass.
    pub(crate) after: u32,
    pub(crate) lasting: bool,
    /// How often it was met.
    pub(crate) met: u32,
}

impl Plan {
    /// What an operation meets now.
    pub(crate) fn meet(&mut self, operation: Operation) -> Option<Fault> {
        if !self.fault.can_hit(operation) || (self.met > 0 && !self.lasting) {
            return None;
        }
        if self.after > 0 {
            self.after -= 1;
            return None;
        }
        self.met += 1;
        Some(self.fault)
    }
}

impl Fault {
    fn can_hit(self, operation: Operation) -> bool {
        match self {
            Self::Io => true,
            Self::FailedSync => operation == Operation::Sync,
            Self::NoSpace => matches!(
                operation,
                Operation::Open { makes: true } | Operation::Write | Operation::Resize
            ),
            Self::Short => matches!(operation, Operation::Read | Operation::Write),
        }
    }
}
