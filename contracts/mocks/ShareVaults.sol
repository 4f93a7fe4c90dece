// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";

/// @title A plain vault that can be slashed, for tests
contract MockShareVault is ERC4626 {
    uint8 private immutable _OFFSET;

    constructor(IERC20 asset_, uint8 offset) ERC20("Share", "SHARE") ERC4626(asset_) {
        _OFFSET = offset;
    }

    /// @notice Loses assets.
    function slash(uint256 assets) external {
        IERC20(asset()).transfer(address(0xdead), assets);
    }

    function _decimalsOffset() internal view override returns (uint8) {
        return _OFFSET;
    }
}

/// @title A vault that answers as it is told, for tests
contract BrokenVault {
    enum Mode {
        Good,
        Reverting,
        Silent,
        Short,
        Endless,
        Flooding
    }

    Mode public mode;
    uint256 public asset;
    uint256 public decimals;
    uint256 private _assets;

    constructor(address asset_, uint256 decimals_, uint256 assets) {
        asset = uint160(asset_);
        decimals = decimals_;
        _assets = assets;
    }

    /// @notice Chooses how the next answers go wrong.
    function setMode(Mode mode_) external {
        mode = mode_;
    }

    /// @notice Sets what one whole share converts to.
    function setAssets(uint256 assets) external {
        _assets = assets;
    }

    /// @notice Sets what `asset()` and `decimals()` answer, any words.
    function setShape(uint256 asset_, uint256 decimals_) external {
        asset = asset_;
        decimals = decimals_;
    }

    function convertToAssets(uint256 shares) external view returns (uint256) {
        Mode how = mode;
        assembly {
            switch how
            case 1 { revert(0x00, 0x20) }
            case 2 { stop() }
            case 3 { return(0x00, 31) }
            case 4 { for {} 1 {} {} }
            case 5 { return(0x00, 100000) }
        }
        return _assets * shares / 10 ** decimals;
    }
}
